// The headers that take longest to read, precompiled once for the whole build.
#pragma once

#include <boost/asio.hpp>
#include <boost/json.hpp>
#include <boost/thread/thread.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>
