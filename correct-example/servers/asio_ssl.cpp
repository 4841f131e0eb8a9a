// Asio's TLS, compiled once, as tools/cmake/asio.cpp is the rest of it.
#include <boost/asio/ssl/impl/src.hpp>
