#include <apps/joinleaf/doctor/kernel_files.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace joinleaf::app::doctor {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string first_word(const fs::path& path) {
    std::ifstream file(path);
    std::string word;
    file >> word;
    return word;
}

std::optional<std::uint64_t> number_in(const fs::path& path) {
    return parse_number<std::uint64_t>(first_word(path));
}

std::optional<unsigned> hexadecimal_in(const fs::path& path) {
    const std::string word = first_word(path);
    if (!word.starts_with("0x")) return std::nullopt;
    return parse_number<unsigned>(std::string_view(word).substr(2), 16);
}

std::optional<std::uint64_t> number_behind(std::string_view name, std::string_view prefix,
                                           std::string_view suffix) {
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) return std::nullopt;
    name.remove_prefix(prefix.size());
    if (name.size() < suffix.size()) return std::nullopt;
    name.remove_suffix(suffix.size());
    return parse_number<std::uint64_t>(name);
}

std::vector<fs::path> entries(const fs::path& folder) {
    std::error_code ignored;
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
}

std::optional<std::string> target_name(const fs::path& link) {
    std::error_code failed;
    const fs::path target = fs::read_symlink(link, failed);
    if (failed) return std::nullopt;
    return target.filename().string();
}

}  // namespace joinleaf::app::doctor
