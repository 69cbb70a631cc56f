// Late<T>: constinit storage for state that is constructed at boot and destroyed at power-off, when told.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/bug.h>

#include <new>
#include <utility>

template <class T>
class Late {
 public:
  constexpr Late() = default;
  Late(const Late&) = delete;
  Late& operator=(const Late&) = delete;

  template <class... Args>
  T& construct(Args&&... args) {
    BUG_ON(alive_);
    T* t = ::new (static_cast<void*>(storage_)) T(std::forward<Args>(args)...);
    alive_ = true;
    return *t;
  }
  void destroy() {
    BUG_ON(!alive_);
    get()->~T();
    alive_ = false;
  }
  // Valid between construct() and destroy(); not checked, since hot paths come through here.
  T* get() { return std::launder(reinterpret_cast<T*>(storage_)); }
  T* operator->() { return get(); }
  T& operator*() { return *get(); }
  bool alive() const { return alive_; }
  explicit operator bool() const { return alive_; }

 private:
  alignas(T) unsigned char storage_[sizeof(T)]{};
  bool alive_ = false;
};
