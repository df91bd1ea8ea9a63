#pragma once

#include <algorithm>
#include <bit>
#include <compare>
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace warren::base {

/// A queue in one block of memory that is used again and again: pushing and popping at either end
/// costs O(1) amortised and no allocation while the greatest length stays what it was.
/// A large block shrinks when little of it is in use, a small one when that lasts. T is movable and
/// has a cheap default value, which is what free places hold. Any change invalidates iterators;
/// popping leaves those of what stays valid unless the block shrinks.
template <typename T>
class Ring {
  template <typename Owner, typename Value>
  class Place {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using reference = Value&;
    using pointer = Value*;
    using iterator_category = std::random_access_iterator_tag;

    Place() = default;
    Place(Owner* owner, std::size_t at) : owner_(owner), at_(at) {}
    operator Place<const Ring, const T>() const { return {owner_, at_}; }

    std::size_t index() const { return at_; }
    reference operator*() const { return (*owner_)[at_]; }
    pointer operator->() const { return &(*owner_)[at_]; }
    reference operator[](difference_type by) const { return *(*this + by); }
    Place& operator+=(difference_type by) {
      at_ += static_cast<std::size_t>(by);
      return *this;
    }
    Place& operator-=(difference_type by) { return *this += -by; }
    Place& operator++() { return *this += 1; }
    Place& operator--() { return *this -= 1; }
    Place operator++(int) { return std::exchange(*this, *this + 1); }
    Place operator--(int) { return std::exchange(*this, *this - 1); }
    friend Place operator+(Place place, difference_type by) { return place += by; }
    friend Place operator+(difference_type by, Place place) { return place += by; }
    friend Place operator-(Place place, difference_type by) { return place -= by; }
    friend difference_type operator-(Place one, Place other) {
      return static_cast<difference_type>(one.at_) - static_cast<difference_type>(other.at_);
    }
    friend bool operator==(Place one, Place other) { return one.at_ == other.at_; }
    friend auto operator<=>(Place one, Place other) { return one.at_ <=> other.at_; }

   private:
    Owner* owner_ = nullptr;
    std::size_t at_ = 0;
  };

 public:
  using value_type = T;
  using iterator = Place<Ring, T>;
  using const_iterator = Place<const Ring, const T>;

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return slots_.size(); }

  T& operator[](std::size_t at) { return slots_[(first_ + at) & (slots_.size() - 1)]; }
  const T& operator[](std::size_t at) const { return slots_[(first_ + at) & (slots_.size() - 1)]; }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }

  /// Makes the block as large at once as that many would make it.
  void reserve(std::size_t size) {
    if (size > slots_.size()) resize(std::bit_ceil(std::max(size, least)));
  }

  iterator begin() { return {this, 0}; }
  iterator end() { return {this, size_}; }
  const_iterator begin() const { return {this, 0}; }
  const_iterator end() const { return {this, size_}; }

  T& push_back(T value) {
    if (size_ == slots_.size()) resize(slots_.empty() ? least : 2 * slots_.size());
    if (++size_ > slots_.size() / 2) low_pops_ = 0;
    return back() = std::move(value);
  }
  T& push_front(T value) {
    if (size_ == slots_.size()) resize(slots_.empty() ? least : 2 * slots_.size());
    first_ = (first_ + slots_.size() - 1) & (slots_.size() - 1);
    if (++size_ > slots_.size() / 2) low_pops_ = 0;
    return front() = std::move(value);
  }
  void pop_front() {
    ASSERT(size_ > 0);
    front() = T();
    first_ = (first_ + 1) & (slots_.size() - 1);
    --size_;
    shrink();
  }
  void pop_back() {
    ASSERT(size_ > 0);
    back() = T();
    --size_;
    shrink();
  }
  /// Before the place `at`; O(n).
  void insert(const_iterator at, T value) {
    std::size_t place = at.index();
    push_back(T());
    for (std::size_t i = size_ - 1; i > place; --i) (*this)[i] = std::move((*this)[i - 1]);
    (*this)[place] = std::move(value);
  }
  /// O(n), but for the first and the last.
  void erase(const_iterator at) {
    if (at.index() == 0) return pop_front();
    for (std::size_t i = at.index(); i + 1 < size_; ++i) (*this)[i] = std::move((*this)[i + 1]);
    pop_back();
  }
  void clear() {
    slots_ = {};
    first_ = size_ = 0;
  }
  /// Answers how many went.
  template <typename Predicate>
  friend std::size_t erase_if(Ring& ring, Predicate predicate) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < ring.size_; ++i) {
      if (predicate(std::as_const(ring[i]))) continue;
      if (kept != i) ring[kept] = std::move(ring[i]);
      ++kept;
    }
    std::size_t erased = ring.size_ - kept;
    for (std::size_t left = erased; left > 0; --left) ring.pop_back();
    return erased;
  }

 private:
  static constexpr std::size_t least = 4;
  static constexpr std::size_t large_bytes = 256 * 1024;

  void shrink() {
    if (slots_.size() <= 64 || size_ >= slots_.size() / 8) return;
    // A ring that is filled and emptied in each turn keeps its block.
    bool is_large = slots_.size() * sizeof(T) > large_bytes;
    if (is_large || ++low_pops_ > 2 * slots_.size()) resize(slots_.size() / 4);
  }
  void resize(std::size_t capacity) {
    std::vector<T> slots(capacity);
    for (std::size_t i = 0; i < size_; ++i) slots[i] = std::move((*this)[i]);
    slots_ = std::move(slots);
    first_ = 0;
    low_pops_ = 0;
  }

  std::vector<T> slots_;  ///< a power of two of them, or none
  std::size_t first_ = 0;
  std::size_t size_ = 0;
  std::size_t low_pops_ = 0;  ///< while less than an eighth was in use
};

}  // namespace warren::base
