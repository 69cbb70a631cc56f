// Intrusive containers over the C face's list_head and hlist: typed by the member that links, asserting at their end that they
// are empty. They own nothing and lock nothing.
//   List<Thing, &Thing::link> things;   for (Thing& t : things) ...
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/bug.h>
#include <linux/list.h>

#include <bit>
#include <type_traits>

// The object that a member lies in. The offset of a data member pointer is its value in the ABI we build for.
template <class T, class M>
T* owner_of(M* member, M T::*which) {
  return reinterpret_cast<T*>(reinterpret_cast<char*>(member) - std::bit_cast<ptrdiff_t>(which));
}

template <class T, list_head T::*Link>
class List {
 public:
  List() { INIT_LIST_HEAD(&head_); }
  ~List() { BUG_ON(!empty()); }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  class iterator {
   public:
    explicit iterator(list_head* at) : at_(at) {}
    T& operator*() const { return *owner_of(at_, Link); }
    T* operator->() const { return owner_of(at_, Link); }
    iterator& operator++() {
      at_ = at_->next;
      return *this;
    }
    bool operator==(const iterator&) const = default;

   private:
    list_head* at_;
  };
  iterator begin() { return iterator(head_.next); }
  iterator end() { return iterator(&head_); }

  bool empty() const { return list_empty(&head_); }
  void push_front(T& t) { list_add(&(t.*Link), &head_); }
  void push_back(T& t) { list_add_tail(&(t.*Link), &head_); }
  void move_to_front(T& t) { list_move(&(t.*Link), &head_); }
  void move_to_back(T& t) { list_move_tail(&(t.*Link), &head_); }
  // Afterwards linked(t) is false.
  static void remove(T& t) { list_del_init(&(t.*Link)); }
  static bool linked(const T& t) { return !list_empty(&(t.*Link)); }
  T* front() { return empty() ? nullptr : owner_of(head_.next, Link); }
  T* back() { return empty() ? nullptr : owner_of(head_.prev, Link); }
  T* pop_front() {
    T* t = front();
    if (t) remove(*t);
    return t;
  }
  // Takes all of other's elements, behind its own.
  void splice_back(List& other) { list_splice_tail_init(&other.head_, &head_); }
  size_t count() const {
    size_t n = 0;
    for (const list_head* p = head_.next; p != &head_; p = p->next) n++;
    return n;
  }
  // f(T&) for each; f may remove the element it is given.
  template <class F>
  void for_each_safe(F f) {
    for (list_head *p = head_.next, *n; p != &head_; p = n) {
      n = p->next;
      f(*owner_of(p, Link));
    }
  }
  list_head* head() { return &head_; }

 private:
  list_head head_;
};
