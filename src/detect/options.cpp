// SPDX-License-Identifier: Apache-2.0
// All thresholds. docs/detections.md has the same table (a test compares), with more words.
#include "sonde/security.hpp"

namespace sonde {

namespace {

constexpr const char* on = "on/off";

constexpr SecurityOption options[] = {
    {"event.update", 10, 1, 3600, "s", "least time between two updates of one event",
     "often enough to follow an attack, rare enough to be read"},

    {"scan.enabled", 1, 0, 1, on, "look for scans", ""},
    {"scan.ports", 15, 5, 60000, "ports", "ports of one target that did not answer as a service, for a port scan",
     "TRW (Jung et al. 2004) is sure after 4 to 6 failed first contacts; a program that looks for a service tries up "
     "to "
     "10 ports"},
    {"scan.hosts", 30, 5, 100, "hosts", "targets whose port did not answer as a service, for a host scan",
     "a rack that is down, or an old list of servers, has some 20; a scan of a /24 at T2 has 30 after 12 to 25 s"},
    {"scan.window", 120, 10, 3600, "s", "time in which they must be contacted for the first time",
     "nmap -T2 makes 150 to 300 probes in it, -sU against a host that limits its ICMP errors to 1/s 30 to 120"},
    {"scan.failure_share", 0.7, 0.5, 1, "", "least share of failures among these first contacts",
     "TRW takes 0.8 of a scanner's first contacts to fail and 0.2 of others'; happy eyeballs with broken IPv6 is at "
     "0.5"},
    {"scan.bare_ports", 60, 5, 120, "ports",
     "ports of one target, failed or connected to without data, for a port scan",
     "finds scans of targets where everything answers; checks of single services do not reach so many ports"},
    {"scan.answer_wait", 2, 0.1, 60, "s", "time after which a contact without an answer counts as failed",
     "round trips are below 1 s, and the first SYN is repeated after 1 s (RFC 6298)"},
    {"scan.host_wait", 5, 0.1, 60, "s", "likewise, for host scans; refused ones wait as well",
     "in this time health checks and retries show that they try again and again (scan.tries)"},
    {"scan.tries", 3, 1, 100, "connections", "a target that is tried more often is no part of a host scan",
     "scanners repeat a probe once or twice; who wants the service tries on"},
    {"scan.port_share", 0.5, 0.05, 1, "", "least share that the port has of the source's failures, for a host scan",
     "peer-to-peer has many failures too, but on as many ports as peers; the most popular port has below 0.3. Sources "
     "with 4 failures a port or more need no such share"},
    {"scan.quiet", 60, 5, 3600, "s", "time without a new probe after which a scan is over",
     "nmap waits 15 s between probes at T1, and up to 60 s for hosts that limit their answers"},
};

}  // namespace

std::span<const SecurityOption> security_options() { return options; }

}  // namespace sonde
