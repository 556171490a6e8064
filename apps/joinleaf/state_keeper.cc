// What a run does with its state file.
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/state_keeper.h>
#include <fmt/format.h>

namespace joinleaf::app {

StateKeeper::StateKeeper(const CommonOptions& common, const PortOptions& port, Reporter& report)
    : report_(report) {
    if (common.state) file_.emplace(*common.state, state_owner(port));
}

void StateKeeper::make_good(Runtime& runtime, const std::vector<JoinedGroup>& wanted) {
    if (!file_) return;
    const auto found = file_->read();
    if (!found) return;
    const auto owed = found->and_then([&](const RecordedState& state) {
        return owed_leaves(state, file_->owner(), StateFile::now(), wanted);
    });
    if (!owed) {
        report_.note(fmt::format("the state file {} is of no use: {}; no leaves are sent for it",
                                 file_->path(), owed.error()));
        return;
    }
    for (const auto& [group, sources] : *owed) {
        if (const auto left = runtime.leave_for_another(0, group, sources); !left) {
            report_.note(fmt::format("cannot leave {} for the process before this one: {}",
                                     group.to_string(), left.error().message()));
            continue;
        }
        report_.note(fmt::format("leaves {} for the process before this one, which could not",
                                 group.to_string()));
    }
}

void StateKeeper::keep(std::vector<JoinedGroup> joined) {
    if (file_) file_->write(std::move(joined));
}

void StateKeeper::refresh(Instant now) {
    if (!file_) return;
    try {
        file_->refresh(now);
    } catch (const Failure& failure) {
        report_.note(failure.what());
    }
}

}  // namespace joinleaf::app
