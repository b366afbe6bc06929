# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Lists of the project's files, for lint.sh and format.sh, which set root. With changed=true only files that differ from
# HEAD, new ones included.

: "${root:?}"
changed=${changed:-false}

# files PATHSPEC...: tracked and new files, without what .gitignore names
files() {
  local list=(ls-files --cached --others --exclude-standard --deduplicate)
  if $changed && git -C "$root" rev-parse -q --verify HEAD >/dev/null; then
    { git -C "$root" diff --name-only --diff-filter=d HEAD -- "$@" && git -C "$root" ls-files -o --exclude-standard -- "$@"; }
  else
    git -C "$root" "${list[@]}" -- "$@"
  fi | while IFS= read -r file; do [ ! -f "$root/$file" ] || [ -L "$root/$file" ] || echo "$root/$file"; done | sort -u
}

# C++ in the style of .clang-format
cxx_files() { files '*.cpp' '*.hpp'; }

# C for the kernel, and the structs it shares with C++: the style of bpf/.clang-format wherever the file is
kernel_files() { files 'bpf/*.h' 'abi/*.h' '*.bpf.c' '*.bpf.h' '*.abi.h'; }

# Every script, whatever its name ends with
shell_files() {
  local file
  files | while IFS= read -r file; do
    case $(head -c 64 "$file" | head -n 1 | tr -d '\0') in
      '#!'*sh | '# shellcheck shell='*) echo "$file" ;;
    esac
  done
}

# What must carry a licence line: source code, not data
source_files() { files '*.cpp' '*.hpp' '*.c' '*.h' '*.S' '*.sh' '*.py' '*.cmake' '*CMakeLists.txt' dev .ci/run docs/man; }
