#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [NAME...]: runs the benches on the build of SONDE_BUILD (default: build/release); without NAME all of them.
# `./dev bench` builds first.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export SONDE_BUILD=${SONDE_BUILD:-$here/../build/release}
export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C
exec python3 "$here/main.py" "$@"
