#include <apps/joinleaf/stat/sample.h>
#include <controlplane/status_tables.h>

namespace joinleaf::app {

const JsonRows& Sample::rows(std::string_view table) const {
    static const JsonRows kNone;
    const auto found = tables.find(table);
    return found == tables.end() ? kNone : found->second;
}

Sample take_sample(TelemetryClient& client) {
    Sample sample{.pid = client.pid(), .command = command_of(client.pid())};
    for (const auto& head : controlplane::table_heads()) {
        sample.tables[std::string(head.name)] = client.rows(head.name);
    }
    sample.at = Instant::clock::now();
    return sample;
}

Json json_of(const Sample& sample) {
    Json json{{"pid", sample.pid}, {"command", sample.command}};
    for (const auto& head : controlplane::table_heads()) {
        const std::string name(head.name);
        json[name] = sample.rows(name);
    }
    return json;
}

}  // namespace joinleaf::app
