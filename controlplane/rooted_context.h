// What the sockets of rooted sessions need of the runtime that they live in.
#pragma once

#include <controlplane/port_context.h>
#include <asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string_view>

namespace joinleaf::controlplane {

class SocketCore;

struct RootedContext {
    asio::io_context& io;
    std::function<SocketId()> next_id;
    /// Makes a socket known to the runtime: it is closed with it, and has ticks.
    std::function<void(std::shared_ptr<SocketCore>)> adopt;
    std::function<void(std::string_view)> log;
};

}  // namespace joinleaf::controlplane
