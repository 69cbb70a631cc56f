// Makes the files of an initramfs.
// SPDX-License-Identifier: Apache-2.0
#include "fs/initramfs/initramfs.hh"

#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include <new>

#include "arch/contract/arch.hh"
#include "fs/initramfs/cpio.hh"
#include "fs/vfs/vfs.hh"
#include "lib/inflate.hh"
#include "mm/page_alloc.hh"

namespace {

// Creates what the reader finds. Files with several links are made once and linked to by the name seen first.
class Unpacker final : public CpioSink {
 public:
  Unpacker() = default;
  Unpacker(const Unpacker&) = delete;
  ~Unpacker() { forget(); }

  bool begin(const CpioEntry& e, const char* target) override {
    if (target) {
      remove_old(e);
      check(init_symlink(target, e.name), e);
      set_owner(e);
      return false;
    }
    if (S_ISREG(e.mode)) return begin_file(e);
    if (S_ISDIR(e.mode)) return begin_directory(e);
    remove_old(e);
    check(init_mknod(e.name, static_cast<umode_t>(e.mode), MKDEV(e.rdev_major, e.rdev_minor)), e);
    set_owner(e);
    return false;
  }

  bool body(std::span<const unsigned char> data) override {
    return kernel_write(file_.get(), data.data(), data.size(), &pos_) == static_cast<ssize_t>(data.size());
  }

  void end(const CpioEntry& e) override {
    file_.reset(nullptr);
    if (S_ISREG(e.mode)) (void)init_utimes(e.name, e.mtime);
  }

  void trailer() override { forget(); }

  // Directories' times, which making their contents has changed.
  void finish() {
    for (Remembered* r = directories_; r; r = r->next) (void)init_utimes(r->name, r->mtime);
  }

 private:
  struct Remembered {
    Remembered* next;
    u32 ino, dev_major, dev_minor, mtime;
    char name[];
  };

  static void check(const Result<void>& r, const CpioEntry& e) {
    if (!r) pr_err("initramfs: %s: error %d\n", e.name, r.error().code());
  }
  static void remove_old(const CpioEntry& e) {
    (void)init_unlink(e.name);  // a later archive replaces what an earlier one made
  }
  static void set_owner(const CpioEntry& e) {
    if (e.uid || e.gid) check(init_chown(e.name, e.uid, e.gid), e);
  }
  static void remember(Remembered** list, const CpioEntry& e) {
    size_t n = strlen(e.name) + 1;
    auto* r = static_cast<Remembered*>(kmalloc(sizeof(Remembered) + n, GFP_KERNEL));
    if (!r) return;
    *r = {*list, e.ino, e.dev_major, e.dev_minor, e.mtime};
    memcpy(r->name, e.name, n);
    *list = r;
  }
  static void drop(Remembered** list) {
    while (Remembered* r = *list) {
      *list = r->next;
      kfree(r);
    }
  }
  void forget() {
    finish();
    drop(&links_);
    drop(&directories_);
  }

  const char* linked_name(const CpioEntry& e) const {
    for (Remembered* r = links_; r; r = r->next)
      if (r->ino == e.ino && r->dev_major == e.dev_major && r->dev_minor == e.dev_minor) return r->name;
    return nullptr;
  }

  // In newc the body comes with the last name of a file that has several.
  bool begin_file(const CpioEntry& e) {
    const char* first = e.nlink > 1 ? linked_name(e) : nullptr;
    if (first) {
      remove_old(e);
      check(init_link(first, e.name), e);
      if (!e.size) return false;
    } else {
      remove_old(e);
      if (e.nlink > 1) remember(&links_, e);
    }
    auto opened = filp_open(e.name, O_WRONLY | O_CREAT | O_LARGEFILE, static_cast<umode_t>(e.mode & 07777));
    if (!opened) {
      pr_err("initramfs: %s: error %d\n", e.name, opened.error().code());
      return false;
    }
    file_ = FileRef(*opened);
    pos_ = 0;
    set_owner(e);
    check(init_chmod(e.name, static_cast<umode_t>(e.mode & 07777)), e);
    return true;
  }

  bool begin_directory(const CpioEntry& e) {
    if (Result<void> made = init_mkdir(e.name, static_cast<umode_t>(e.mode & 07777)); !made && made.error() != Errno(EEXIST))
      check(made, e);
    set_owner(e);
    check(init_chmod(e.name, static_cast<umode_t>(e.mode & 07777)), e);
    remember(&directories_, e);
    return false;
  }

  FileRef file_;
  loff_t pos_ = 0;
  Remembered *links_ = nullptr, *directories_ = nullptr;
};

// All that unpacking needs, in one allocation.
struct Unpacking {
  Unpacker unpacker;
  CpioReader reader{&unpacker};
  inflate::Workspace workspace;

  bool feed(std::span<const unsigned char> data) {
    while (!data.empty() && !reader.error()) {
      if (reader.at_start() && data[0] == 0)
        data = data.subspan(1);  // zeros between archives
      else
        data = data.subspan(reader.feed(data));
    }
    return !reader.error();
  }
};

// One piece of the image: a gzip member, or plain archives up to the next one. Returns what it took; 0: an error, told in *why.
size_t unpack_piece(Unpacking* u, std::span<const unsigned char> image, const char** why) {
  if (u->reader.at_start() && inflate::is_gzip(image)) {
    auto sink = [](void* ctx, const unsigned char* data, size_t n) { return static_cast<Unpacking*>(ctx)->feed({data, n}); };
    inflate::Outcome out = inflate::gunzip(image, u->workspace, sink, u);
    if (out.status == inflate::Status::Ok) return out.consumed;
    *why = u->reader.error() ? u->reader.error() : "damaged gzip data";
    return 0;
  }
  size_t n = u->reader.feed(image);
  *why = u->reader.error();
  return *why ? 0 : n;
}

}  // namespace

Result<void> unpack_initramfs(std::span<const unsigned char> image) {
  void* memory = kvmalloc(sizeof(Unpacking), GFP_KERNEL);
  if (!memory) return fail(ENOMEM);
  auto* u = new (memory) Unpacking;
  const char* why = nullptr;
  while (!image.empty() && !why) {
    if (u->reader.at_start() && image[0] == 0)
      image = image.subspan(1);
    else
      image = image.subspan(unpack_piece(u, image, &why));
  }
  if (!why && !u->reader.at_start()) why = "the archive ends too early";
  if (why) pr_err("Initramfs unpacking failed: %s\n", why);
  u->~Unpacking();
  kvfree(memory);
  if (why) return fail(EINVAL);
  return {};
}

void populate_rootfs() {
  const arch::BootInfo& boot = arch::boot_info();
  if (!boot.initrd.empty()) (void)unpack_initramfs(boot.initrd);
  if (boot.initrd_phys.start != boot.initrd_phys.end) free_reserved_area(boot.initrd_phys.start, boot.initrd_phys.end);
}
