#pragma once

// The part of Asio that this module uses; only its sources include this.
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

namespace warren::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

/// The type names the loop that it belongs to. `tcp::socket` leaves it open, for 48 octets more in
/// each socket and in each wait.
using Socket = asio::basic_stream_socket<tcp, asio::io_context::executor_type>;

}  // namespace warren::net
