// Calls on a TCP socket's descriptor that Asio has no word for. Any thread.
#pragma once

namespace joinleaf::controlplane {

void set_no_delay(int descriptor);
/// The kernel forgets the connection when it is closed: no TIME_WAIT for each of a flood.
void forget_at_once(int descriptor);
/// What a connect() that was under way has come to, as errno; 0: it is connected.
[[nodiscard]] int socket_error(int descriptor);
/// Whether one of `events`, as poll() has them, has come, an error or the end of the connection
/// included.
[[nodiscard]] bool has_come(int descriptor, short events);
/// Whether there is something to read, which stays there.
[[nodiscard]] bool has_octets(int descriptor);

}  // namespace joinleaf::controlplane
