// The waiting room is a queue with a bound, whatever comes in whatever order (M16, M17, M19).
#include <controlplane/waiting_room.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <deque>
#include <vector>

namespace joinleaf::controlplane::test {
namespace {

constexpr Instant kNow{Duration(1)};

// What the rules say, without a thought to cost.
class Model {
public:
    struct Place {
        ConnectionId connection;
        std::error_code ended;
    };

    bool ask(ConnectionId connection) {
        if (waiting() >= backlog) return false;
        if (places.size() >= backlog) {
            const auto mark = std::find_if(places.begin(), places.end(),
                                           [](const Place& place) { return bool(place.ended); });
            if (mark != places.end()) places.erase(mark);
        }
        places.push_back({connection, {}});
        return true;
    }
    [[nodiscard]] std::size_t waiting() const {
        return static_cast<std::size_t>(std::count_if(
            places.begin(), places.end(), [](const Place& place) { return !place.ended; }));
    }
    std::vector<Place*> those_who_wait() {
        std::vector<Place*> all;
        for (Place& place : places) {
            if (!place.ended) all.push_back(&place);
        }
        return all;
    }

    std::size_t backlog = 0;
    std::deque<Place> places;
};

// M16, M17, M19
RC_GTEST_PROP(WaitingRoom, IsAQueueWithABound, ()) {
    WaitingRoom room;
    Model model;
    AdmissionActions out;
    std::uint64_t connections = 0;
    model.backlog = *rc::gen::inRange<std::size_t>(1, 6);
    RC_ASSERT(room.listen(model.backlog).has_value());
    const auto steps = *rc::gen::container<std::vector<std::pair<int, std::size_t>>>(
        rc::gen::pair(rc::gen::inRange(0, 8), rc::gen::inRange<std::size_t>(0, 8)));
    for (const auto& [step, which] : steps) {
        const std::vector<Model::Place*> waiting = model.those_who_wait();
        if (step < 3) {  // another one asks
            const ConnectionId connection{++connections};
            room.incoming(connection, {}, kNow, out);
            RC_ASSERT(room.has_room() == model.ask(connection));
            if (room.has_room()) {
                room.wait(connection, {}, {}, kNow, out);
            } else {
                room.refuse(connection, std::errc::connection_refused, {}, out);
            }
        } else if (step < 5 && !waiting.empty()) {  // one of those who wait goes
            Model::Place& place = *waiting[which % waiting.size()];
            const bool is_late = step == 4;
            place.ended = std::make_error_code(is_late ? std::errc::permission_denied
                                                       : std::errc::connection_reset);
            room.disconnected(place.connection, is_late ? std::errc::timed_out : std::errc{});
        } else if (step < 7) {  // accept, or defer
            const Result<RequestId> oldest = room.oldest();
            if (model.places.empty()) {
                RC_ASSERT(oldest == failure(std::errc::operation_would_block));
            } else if (const Model::Place first = model.places.front(); first.ended) {
                RC_ASSERT(oldest.error() == first.ended);
                model.places.pop_front();
            } else if (step == 5) {
                RC_ASSERT(room.take(*oldest)->line.connection() == first.connection);
                model.places.pop_front();
            }
        } else if (step == 7) {
            model.backlog = 1 + which;
            RC_ASSERT(room.listen(model.backlog).has_value());
        }
        RC_ASSERT(room.waiting() == model.waiting());
        RC_ASSERT(room.waiting() + room.marks() == model.places.size());
        RC_ASSERT(room.silent() == 0U);
    }
    room.close(out);
    RC_ASSERT(room.waiting() + room.marks() + room.silent() == 0U);
    RC_ASSERT(!room.next_deadline());
}

// M15: demand by demand.
RC_GTEST_PROP(FlowSpecProperty, AnOfferThatMeetsMoreMeetsLess, ()) {
    const auto flow = [] {
        return FlowSpec{*rc::gen::inRange<std::uint64_t>(0, 4),
                        *rc::gen::inRange<std::uint32_t>(0, 4),
                        std::chrono::microseconds(*rc::gen::inRange(0, 4))};
    };
    const FlowSpec offer = flow();
    const FlowSpec demand = flow();
    FlowSpec less = demand;
    if (less.bits_per_second > 1) --less.bits_per_second;
    if (less.datagram_octets > 1) --less.datagram_octets;
    if (less.latency.count() > 0) ++less.latency;
    if (demand.is_met_by(offer)) RC_ASSERT(less.is_met_by(offer));
    RC_ASSERT(FlowSpec{}.is_met_by(offer));
    // All demands are met exactly when each of them is.
    RC_ASSERT(demand.is_met_by(offer) ==
              ((FlowSpec{.bits_per_second = demand.bits_per_second}.is_met_by(offer)) &&
               (FlowSpec{.datagram_octets = demand.datagram_octets}.is_met_by(offer)) &&
               (FlowSpec{.latency = demand.latency}.is_met_by(offer))));
}

}  // namespace
}  // namespace joinleaf::controlplane::test
