#!/usr/bin/env bash
# A kernel 6.12 of Debian's source with CONFIG_BPF_KPROBE_OVERRIDE, for KERNEL= (docs/kernels.md):
#
#   tools/override_kernel/build.sh DIR      the kernel is in DIR/kernel; JOBS= compilers at once (default: one a core)
#
# Debian's own kernels lack it, so there an Override of a system call is unsupported. Some 14 minutes of processor time
# and 6 GB of disk. Nothing of the machine's own apt is changed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }

for program in apt-get dpkg-deb make gcc flex bison bc cpio pahole depmod xz; do
  command -v "$program" >/dev/null || lacking="${lacking:-} $program"
done
if [ -n "${lacking:-}" ]; then
  echo "lacking:$lacking. On Debian: apt-get install build-essential flex bison bc cpio dwarves libelf-dev libssl-dev kmod xz-utils" >&2
  exit 2
fi

mkdir -p "$1"/{debs,apt/lists/partial,apt/cache/archives/partial}
work=$(cd "$1" && pwd)

# the mirrors are those of this machine's own sources
mirror() { apt-get --print-uris update | sed -n "s|^'\(.*\)/dists/$1/InRelease'.*|\1|p" | head -n 1; }
main=$(mirror bookworm)
[ -n "$main" ] || { echo "the sources of this machine's apt name no mirror of Debian's bookworm" >&2; exit 2; }
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
printf "deb [signed-by=$keyring] $main %s main\n" bookworm bookworm-updates bookworm-backports > "$work/apt/sources.list"
cat > "$work/apt/apt.conf" <<CONFIG
Dir::Etc::SourceList "$work/apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$work/apt/lists";
Dir::Cache "$work/apt/cache";
Acquire::Languages "none";
APT::Sandbox::User "root";
APT::Update::Post-Invoke "";
APT::Update::Post-Invoke-Success "";
CONFIG
export APT_CONFIG="$work/apt/apt.conf"
echo "downloading Debian's source"
apt-get -qq update
(cd "$work/debs" && apt-get -qq download linux-source-6.12 linux-config-6.12)

source=$work/linux-source-6.12
[ -f "$work/unpacked" ] || {
  dpkg-deb --fsys-tarfile "$work"/debs/linux-source-6.12_*.deb |
    tar -xO ./usr/src/linux-source-6.12.tar.xz | xz -dc | tar -x -C "$work"
  touch "$work/unpacked"
}
cd "$source"
dpkg-deb --fsys-tarfile "$work"/debs/linux-config-6.12_*.deb |
  tar -xO ./usr/src/linux-config-6.12/config.amd64_none_cloud-amd64.xz | xz -dc > .config
make -s olddefconfig
make -s mod2noconfig
scripts/kconfig/merge_config.sh -m .config "$here/override.config" > "$work/merged.log"
make -s olddefconfig
# what another option needs, or needs not, the kernel's own rules decide; this one is what it is all for
grep -q '^CONFIG_BPF_KPROBE_OVERRIDE=y$' .config || { echo "the config lost CONFIG_BPF_KPROBE_OVERRIDE" >&2; exit 1; }

echo "compiling"
# locations of variables are of no use to BTF, and cost a fifth of the time
flags=(-s KCFLAGS=-fno-var-tracking KBUILD_BUILD_USER=kernel KBUILD_BUILD_HOST=guest)
nice -n 19 make -j"${JOBS:-$(nproc)}" "${flags[@]}" bzImage modules
version=$(make -s kernelrelease)
into=$work/kernel
mkdir -p "$into"
nice -n 19 make "${flags[@]}" INSTALL_MOD_PATH="$into" INSTALL_MOD_STRIP=1 modules_install
cp .config "$into/config-$version"
cp arch/x86/boot/bzImage "$into/vmlinuz-$version"
rm -f "$into/lib/modules/$version"/{build,source}
depmod -b "$into" "$version"
echo "KERNEL=$into"
