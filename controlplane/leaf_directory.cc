#include <controlplane/leaf_directory.h>

namespace joinleaf::controlplane {

void LeafDirectory::came(LeafId leaf, Ipv4Address connection, Ipv4Address data) {
    went(leaf);
    leaves_.emplace(leaf, Addresses{connection, data});
    by_connection_.emplace(connection, leaf);
    by_data_.emplace(data, leaf);
}

void LeafDirectory::went(LeafId leaf) {
    const auto found = leaves_.find(leaf);
    if (found == leaves_.end()) return;
    by_connection_.erase({found->second.connection, leaf});
    by_data_.erase({found->second.data, leaf});
    leaves_.erase(found);
}

std::vector<LeafId> LeafDirectory::at(Ipv4Address address, std::size_t most) const {
    auto leaves = at(by_connection_, address, most);
    return leaves.empty() ? at(by_data_, address, most) : leaves;
}

std::vector<LeafId> LeafDirectory::at(const Places& places, Ipv4Address address, std::size_t most) {
    std::vector<LeafId> leaves;
    for (auto i = places.lower_bound({address, LeafId{}});
         i != places.end() && i->first == address && leaves.size() < most; ++i) {
        leaves.push_back(i->second);
    }
    return leaves;
}

}  // namespace joinleaf::controlplane
