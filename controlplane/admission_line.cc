// Every word counts as a sign of life.
#include <controlplane/admission_line.h>

namespace joinleaf::controlplane {

void hang_up(ConnectionId connection, AdmissionMessage&& last_words, AdmissionActions& out) {
    out.emplace_back(Transmit{connection, std::move(last_words)});
    out.emplace_back(HangUp{connection});
}

void Line::send(AdmissionMessage&& message, Instant now, AdmissionActions& out) {
    sent_ = now;
    out.emplace_back(Transmit{connection_, std::move(message)});
}

bool Line::is_yet_to_be_read(const Unread& unread, Instant over, Instant now) {
    if (!unread || !unread(connection_)) return false;
    if (unread_for_ != over) {
        unread_for_ = over;
        unread_since_ = now;
    }
    return now - unread_since_ < dead_after_;
}

void Line::keep_alive(Instant now, AdmissionActions& out) {
    if (sent_ + speak_every_ <= now) send(KeepAlive{}, now, out);
}

}  // namespace joinleaf::controlplane
