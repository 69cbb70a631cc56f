// Walking a path. A walk begins without taking references (RCU: preemption is off, rename_seq and mount_seq tell at the end
// whether what was seen was one state) and takes them when it has to sleep or has arrived; if it then finds that the tree
// moved, it starts over with references from the first step.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/vfs/internal.hh"

inline constexpr int kMaxSymlinks = 40;

class Walk {
 public:
  Walk(int dfd, const char* name, unsigned flags);
  Walk(const path* root, const char* name, unsigned flags);  // the root is also where it begins
  Walk(const Walk&) = delete;
  ~Walk();

  Result<PathRef> to_end();      // everything, the last component followed as flags say
  // Up to the directory of the last component, which last() tells. If the last component is a symlink that is to be
  // followed, follow_last() goes on to its own last component.
  Result<PathRef> to_parent();
  const Last& last() const { return last_; }
  // d is the symlink found at the last component below dir (as to_parent gave it). On return dir is the new directory.
  Result<void> follow_last(PathRef* dir, dentry* d);
  // What is mounted on (dir's mount, d), following; takes over d.
  static PathRef cross_mounts(vfsmount* mnt, dentry* d);

 private:
  enum class Until : unsigned char { End, Parent };
  struct Link {
    dentry* d;      // referenced unless rcu_
    void* to_free;
  };
  Result<PathRef> run(Until until);
  Result<PathRef> attempt(Until until);
  Result<void> start();
  Result<void> walk_text(Until until);
  Result<void> component(const Last& c, bool follow);
  Result<void> dot_dot();
  Result<void> enter_link(dentry* d);
  Result<void> jump(path p);
  Result<void> may_search();
  Result<dentry*> find_child(const Last& c);
  Result<dentry*> find_child_slow(const Last& c);
  Result<void> set_at_child(dentry* d);
  Result<void> need_refs();  // ECHILD: start over
  bool seq_same() const;
  bool parse(Last* c);
  void set_root();
  void begin_rcu();
  void end_rcu();
  void set_at(path p);  // takes over references if there are any
  void drop_all();

  const char* name_;
  int dfd_;
  unsigned flags_;
  Fd start_fd_;
  path start_ = {nullptr, nullptr};  // given root; borrowed
  path at_ = {nullptr, nullptr};
  path root_ = {nullptr, nullptr};
  bool rcu_ = false, lazy_ok_ = true, want_dir_ = false, root_is_start_ = false, magic_ = false;
  unsigned rename_seen_ = 0, mount_seen_ = 0;
  int depth_ = 0, links_used_ = 0;
  const char* rest_ = nullptr;
  Last last_ = {};
  const char* rests_[kMaxSymlinks];
  Link links_[kMaxSymlinks];
};
