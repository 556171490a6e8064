// What admission wants done, as short text that tests compare and the simulation prints.
#pragma once

#include <controlplane/admission_actions.h>
#include <string>
#include <vector>

namespace joinleaf::controlplane::test {

/// As in "timed_out"; "ok" for success.
std::string describe(const std::error_code& error);
std::string describe(std::errc error);
/// As in "JoinRequest" or "Refuse timed_out": what it is and why, without what it carries.
std::string describe(const AdmissionMessage& message);
/// As in "1: Confirm" (sent on connection 1), "1: hang up", "leaf 2 closed timed_out".
std::string describe(const AdmissionAction& action);
std::vector<std::string> describe(const AdmissionActions& actions);

UserData bytes(std::string_view text);
std::string text(const UserData& data);

}  // namespace joinleaf::controlplane::test
