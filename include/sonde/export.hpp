// SPDX-License-Identifier: Apache-2.0
#pragma once

/// What libsonde exports; all other symbols of the library are hidden.
#define SONDE_EXPORT __attribute__((visibility("default")))
