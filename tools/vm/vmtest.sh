#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# vmtest.sh [-k KERNEL] [-t SECONDS] [-m MEMORY] -- COMMAND [ARG...]
#
# Boots a Debian kernel in QEMU and runs COMMAND there as root, in the current folder and with the caller's PATH. The guest
# sees this machine's files; what it writes goes to a tmpfs and vanishes. Standard input is /dev/null, standard output and
# error arrive together on standard output.
#   -k  6.1, 6.12, ... (Debian's newest of the series) or the name of a linux-image package; default 6.1
#   -t  time limit in seconds, default 600          -m  memory of the guest, default 1G
# Kernels are downloaded and unpacked below ~/.cache/sonde/vm (SONDE_VM_CACHE), never installed.
# Exit status: that of COMMAND; 124: time limit; 125: the guest did not get as far as running it (its log is shown).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SONDE_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sonde/vm}
kernel=6.1 limit=600 memory=1G
boot_modules=(virtio_pci 9pnet_virtio 9p overlay)

die() {
  printf 'vmtest: %s\n' "$1" >&2
  exit 125
}

parse_options() {
  local option
  while getopts k:t:m: option; do
    case $option in
      k) kernel=$OPTARG ;;
      t) limit=$OPTARG ;;
      m) memory=$OPTARG ;;
      *) exit 125 ;;
    esac
  done
  shift $((OPTIND - 1))
  command=("$@")
  [ ${#command[@]} -gt 0 ] || die "no command; see the head of $0"
}

check_tools() {
  local tool
  for tool in qemu-system-x86_64 apt-get dpkg-deb xz zstd flock timeout setpriv; do
    command -v "$tool" >/dev/null || die "$tool is missing"
  done
}

# The package behind a series: 6.1 is bookworm's own kernel, the others have a metapackage of their own. The answer is kept,
# so that the second run needs no network.
resolve_kernel() {
  local meta=linux-image-$kernel-amd64 real
  case $kernel in
    6.1) meta=linux-image-amd64 ;;
    linux-image-*) meta=$kernel ;;
  esac
  if [ ! -f "$cache/$meta.package" ]; then
    real=$(apt-cache depends "$meta" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
    printf '%s\n' "${real:-$meta}" >"$cache/$meta.package"
  fi
  package=$(cat "$cache/$meta.package")
}

# fetch PACKAGE: unpacks it to $cache/PACKAGE, whole or not at all
fetch() {
  local work
  [ ! -d "$cache/$1" ] || return 0
  work=$(mktemp -d "$cache/.new.XXXXXX")
  if (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$1" && dpkg-deb -x ./*.deb tree) >&2 &&
    { [ "$1" = busybox-static ] || prepare_kernel "$work/tree"; }; then
    mv "$work/tree" "$cache/$1"
    rm -rf "$work"
  else
    rm -rf "$work" "$cache"/*.package
    die "cannot fetch $1; is it in the package lists (apt-get update)?"
  fi
}

prepare_kernel() {
  extract_elf "$1" && drop_hardware "$1" &&
    { find "$1/lib/modules" -name '*.ko.xz' -print0 | xargs -0r -P "$(nproc)" -n 50 xz -d; } &&
    "$busybox" depmod -b "$1" "$(ls "$1/lib/modules")"
}

# The ELF file inside bzImage: QEMU boots it directly, and decompressing in the emulated guest would take seconds.
# Offsets by Documentation/arch/x86/boot.rst: setup_sects 0x1f1, payload_offset and payload_length 0x248.
extract_elf() {
  local image sectors offset length
  image=$(echo "$1"/boot/vmlinuz-*)
  sectors=$(od -An -tu1 -j 497 -N 1 "$image")
  read -r offset length < <(od -An -tu4 -j 584 -N 8 "$image")
  tail -c +$(((sectors + 1) * 512 + offset + 1)) "$image" | head -c "$length" >"$1/payload" || :
  case $(od -An -tx1 -N 4 "$1/payload" | tr -d ' ') in
    fd377a58) xz -dc <"$1/payload" ;;
    28b52ffd) zstd -qdc <"$1/payload" ;;
    1f8b*) gzip -dc <"$1/payload" ;;
  esac >"$1/vmlinux" 2>/dev/null || : # the four bytes of size behind the payload are no error
  rm "$1/payload"
  [ "$(head -c 4 "$1/vmlinux" | tail -c 3)" = ELF ]
}

# 430 MB of modules to 100: the guest has virtio and virtual network devices, nothing else.
drop_hardware() {
  local modules keep=(net virtio block char vhost ptp pps) not=() name
  modules=$(echo "$1"/lib/modules/*/kernel)
  for name in "${keep[@]}"; do not+=(! -name "$name"); done
  find "$modules/drivers" -mindepth 1 -maxdepth 1 "${not[@]}" -exec rm -rf {} +
  rm -rf "$modules/sound" "$modules"/drivers/net/{ethernet,wireless} "${1:?}"/{boot,usr}
}

# add_module NAME: into the initramfs, with those it depends on. One without a file is built in.
add_module() {
  local line file to=$work/root/lib/modules/$release
  line=$(grep -m 1 "/$1\.ko:" "$tree/lib/modules/$release/modules.dep") || return 0
  ! grep -qxF "$line" "$to/modules.dep" 2>/dev/null || return 0
  mkdir -p "$to/$(dirname "${line%%:*}")"
  printf '%s\n' "$line" >>"$to/modules.dep"
  cp "$tree/lib/modules/$release/${line%%:*}" "$to/${line%%:*}"
  for file in ${line#*:}; do
    file=${file##*/}
    add_module "${file%.ko}"
  done
}

make_initramfs() {
  local module root=$work/root
  mkdir -p "$root"/{bin,sbin,lib/modules,proc,sys,dev,host,rw,new}
  cp "$busybox" "$root/bin/busybox"
  ln -s /bin/busybox "$root/bin/sh"
  ln -s /bin/busybox "$root/sbin/modprobe"
  for module in "${boot_modules[@]}"; do add_module "$module"; done
  {
    printf 'cd %q\nexport PATH=%q HOME=%q\nexec' "$PWD" "$PATH" "${HOME:-/root}"
    printf ' %q' "${command[@]}"
    echo
  } >"$root/command"
  cp "$here/init.sh" "$root/init"
  chmod 755 "$root/init"
  (cd "$root" && find . | "$busybox" cpio -o -H newc 2>/dev/null) >"$work/initramfs"
}

# Emulation without KVM, one thread: multi-threaded TCG of QEMU 7.2 crashes guests that attach and detach programs under
# traffic. On a busy host the guest measures its TSC wrongly and its time runs several times too fast; HPET is QEMU's own
# time. Serial ports: 0 the kernel's log, 1 the command's output, 2 its exit status.
boot() {
  local shared=security_model=none,multidevs=remap
  local append="console=ttyS0 panic=-1 oops=panic quiet loglevel=4 lsm=lockdown,yama,bpf net.ifnames=0 clocksource=hpet"
  append+=" no_timer_check cryptomgr.notests audit=0"
  : >"$work/status"
  setpriv --pdeathsig TERM timeout --foreground -k 5 "$limit" qemu-system-x86_64 \
    -M q35 -cpu max -accel tcg,thread=single -smp 2 -m "$memory" \
    -nodefaults -no-user-config -display none -no-reboot -monitor none \
    -kernel "$tree/vmlinux" -initrd "$work/initramfs" -append "$append" \
    -serial "file:$work/console" -chardev stdio,id=output,signal=off -serial chardev:output -serial "file:$work/status" \
    -virtfs "local,path=/,mount_tag=host,readonly=on,$shared" \
    -virtfs "local,path=$tree/lib/modules,mount_tag=modules,readonly=on,$shared" \
    </dev/null 2>"$work/errors" | cat # QEMU would leave our standard output non-blocking
  return "${PIPESTATUS[0]}"
}

finish() {
  local status
  status=$(sed -n 's/^status //p' "$work/status" | tr -d '\r' | tail -n 1)
  case $status in [0-9]*) exit "$status" ;; esac
  case $1 in 124 | 137)
    printf 'vmtest: time limit of %s s\n' "$limit" >&2
    exit 124
    ;;
  esac
  tail -n 60 "$work/console" >&2 || :
  tail -n 5 "$work/errors" >&2
  die "the guest gave no status (QEMU ended with $1${status:+, guest: $status})"
}

parse_options "$@"
check_tools
mkdir -p "$cache"
busybox=$cache/busybox-static/bin/busybox
exec 9>"$cache/.lock"
flock 9
resolve_kernel
fetch busybox-static
fetch "$package"
exec 9>&-
tree=$cache/$package
release=$(ls "$tree/lib/modules")
work=$(mktemp -d "${TMPDIR:-/tmp}/sonde-vm.XXXXXX")
trap 'rm -rf "$work"' EXIT
make_initramfs
result=0
boot || result=$?
finish "$result"
