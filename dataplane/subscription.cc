#include <dataplane/huge_pages.h>
#include <dataplane/subscription.h>

namespace joinleaf::dataplane {

std::shared_ptr<Subscription> make_subscription() {
    // They live as long as any thread may look at one. The pool hands out again what came back.
    constexpr std::size_t kAtOnce = std::size_t{2} << 20;
    static auto* const pages = new HugePages;
    static auto* const slabs = new std::pmr::monotonic_buffer_resource(kAtOnce, pages);
    static auto* const pool = new std::pmr::synchronized_pool_resource(slabs);
    return std::allocate_shared<Subscription>(std::pmr::polymorphic_allocator<Subscription>(pool));
}

}  // namespace joinleaf::dataplane
