// Boost.Asio's own sources, compiled once for the whole build.
#include <boost/asio/impl/src.hpp>
