#include "counters/allocations.h"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace {

std::uint64_t count = 0;

void* count_and_allocate(std::size_t size) {
  ++count;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

std::uint64_t warren::counters::allocations() { return count; }
std::uint64_t warren::counters::held_octets() { return ::mallinfo2().uordblks; }

void* operator new(std::size_t size) { return count_and_allocate(size); }
void* operator new[](std::size_t size) { return count_and_allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
