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
    {"scan.answer_wait", 2, 0.1, 8, "s", "time after which a contact without an answer counts as failed",
     "round trips are below 1 s, and the first SYN is repeated after 1 s (RFC 6298)"},
    {"scan.host_wait", 5, 0.1, 8, "s", "likewise, for host scans (where refused ones wait as well) and UDP",
     "in this time health checks, retries and ICE show that they try again and again (scan.tries)"},
    {"scan.tries", 3, 1, 100, "connections", "a target that is tried more often is no part of a host scan",
     "scanners repeat a probe once or twice; who wants the service tries on"},
    {"scan.port_share", 0.5, 0.05, 1, "", "least share that the port has of the source's failures, for a host scan",
     "peer-to-peer has many failures too, but on as many ports as peers; the most popular port has below 0.3. Sources "
     "that failed at each target twice or more need no such share"},
    {"scan.quiet", 60, 5, 3600, "s", "time without a new probe after which a scan is over",
     "nmap waits 15 s between probes at T1, and up to 60 s for hosts that limit their answers"},

    {"flood.enabled", 1, 0, 1, on, "look for floods and reflections", ""},
    {"flood.syn_rate", 300, 1, 1e9, "packets/s", "least half-open connections a second to one target",
     "net.core.somaxconn is 4096, so this fills a backlog in 14 s; those of a crowd are completed and do not count"},
    {"flood.udp_rate", 3000, 1, 1e9, "packets/s",
     "least datagrams without an answer to one target; those of one socket count half",
     "telemetry of a large site is below; whoever was answered before does not count"},
    {"flood.icmp_rate", 1000, 1, 1e9, "packets/s", "least ICMP packets to one target",
     "a hundred hosts with ping -i 0.1; Linux itself sends no more than 1000 errors a second (icmp_msgs_per_sec)"},
    {"flood.reflection_rate", 300, 1, 1e9, "packets/s", "least answers of 200 bytes or more that nobody asked for",
     "answers that come late, or were asked for before the capture, are a few a second"},
    {"flood.servers", 10, 1, 1000, "addresses", "servers that they come from, at least",
     "a single server that keeps sending is no reflection"},
    {"flood.factor", 3, 1, 100, "", "times of the usual rate, at least", "daily peaks are two to three times the mean"},
    {"flood.deviations", 8, 1, 100, "", "standard deviations above the usual rate, at least",
     "rates have heavy tails: at 3 a busy target is over it every few minutes"},
    {"flood.seconds", 3, 1, 60, "s", "seconds in a row that must be over",
     "bursts of scanners and retries are shorter"},
    {"flood.silent_factor", 20, 1, 1000, "",
     "times flood.syn_rate, where SYNs are refused, from known clients, or of few and not answered",
     "a load balancer repeats its SYNs when its backend is gone; hping3 --flood makes 100,000/s"},
    {"flood.few", 10, 1, 100, "addresses", "so many sources with 80 % of the packets are named and can be blocked",
     "more do not fit a line, and are likely forged"},
    {"flood.quiet", 30, 5, 3600, "s", "time below half of the least rate after which a flood is over",
     "booters pause for a few seconds"},

    {"destination.enabled", 1, 0, 1, on, "look for new countries and ports of programs", ""},
    {"destination.learn", 3600, 1, 604800, "s",
     "time in which a program's destinations are learnt; half of it without news",
     "what a service does, it does within an hour; weekly tasks are reported once"},
    {"destination.connections", 20, 1, 1e6, "connections", "least connections of the program before",
     "a program that was seen a few times has no habits yet"},
    {"destination.addresses", 32, 1, 10000, "addresses", "programs with more destinations are left out",
     "browsers, crawlers and resolvers go anywhere; a service has a few partners"},

    {"beacon.enabled", 1, 0, 1, on, "look for calls at regular intervals", ""},
    {"beacon.calls", 12, 4, 24, "intervals", "least number of regular intervals",
     "12 intervals that vary by 0.2 come about by chance in less than one of a million random series"},
    {"beacon.variation", 0.2, 0, 1, "", "most standard deviation of the intervals, as a share of their mean",
     "a jitter of 50 % (of Cobalt Strike and others: uniform) gives 0.19; calls at random give 1"},
    {"beacon.least_interval", 10, 1, 3600, "s", "shortest interval", "health checks and polling are faster"},
    {"beacon.most_interval", 7200, 10, 86400, "s", "longest interval", "12 calls take a day then"},

    {"idle.enabled", 1, 0, 1, on, "look for connections that stay open and idle", ""},
    {"idle.duration", 3600, 60, 604800, "s", "idle for so long", "longer than a forgotten shell or a lunch break"},
    {"idle.rate", 20, 0, 10000, "bytes/s", "most traffic in that time", "keepalives every 10 s take 13 bytes/s"},

    {"failures.enabled", 1, 0, 1, on, "look for programs whose connects fail", ""},
    {"failures.addresses", 20, 5, 100, "addresses", "that could not be connected to",
     "a retry goes to one address, a service in a cluster to some ten"},
    {"failures.window", 60, 5, 3600, "s", "time in which they failed", "a list is worked through faster"},
    {"failures.share", 0.9, 0.5, 1, "", "least share of failures in that time", "peer-to-peer has up to 0.85"},
    {"failures.usual_share", 0.3, 0, 1, "", "programs that failed more often before are left out",
     "for these nothing has changed"},

    {"arp.enabled", 1, 0, 1, on, "look for forged ARP", ""},
    {"arp.window", 60, 5, 3600, "s", "time in which the following must happen", "Linux asks again after 15 to 45 s"},
    {"arp.turns", 2, 1, 30, "times", "an address goes back to a MAC that had it before",
     "a failover and back is one, and takes longer than a minute; forgers and owners answer in turn all the time"},
    {"arp.unasked", 5, 2, 30, "answers", "answers that nobody asked for, of one MAC for one address",
     "caches must be poisoned again all the time: every 1 s (bettercap), 2 s (arpspoof), 10 s (ettercap)"},
    {"arp.owners", 5, 2, 30, "MACs", "that one MAC has taken addresses from",
     "a router that takes over has them all from the one that failed"},
    {"arp.mismatches", 3, 1, 30, "packets", "whose sender is not that of the frame; virtual routers are left out",
     "none in ordinary networks; some wireless repeaters do it"},

    {"dns.enabled", 1, 0, 1, on, "look for data in DNS names", ""},
    {"dns.window", 120, 10, 3600, "s", "time over which names are looked at",
     "a tunnel that is used has some hundred names in it"},
    {"dns.names", 60, 10, 100000, "names",
     "different names of one client below one domain; half for types that carry much",
     "CDNs give a client some twenty in that time"},
    {"dns.unique_share", 0.6, 0.1, 1, "", "least share of the queries that ask for a new name",
     "programs ask for A and AAAA, so at most half of theirs are new; a tunnel's all are"},
    {"dns.length", 30, 5, 250, "characters", "mean length before the registered domain; half for types that carry much",
     "host names have 5 to 20; tunnels fill up to 250, as each query costs a round trip"},
    {"dns.entropy", 3.2, 0, 8, "bits/character", "least mean entropy",
     "English words have 2.5 to 3.1 at this length; hex gives 3.5 to 3.9, base32 4.2 and more"},
    {"dns.carrier_share", 0.5, 0, 1, "", "share of TXT, NULL, CNAME, MX, SRV from which half is enough",
     "clients ask for A, AAAA and HTTPS; mail servers' TXT names begin with \"_\" and do not count"},
};

}  // namespace

std::span<const SecurityOption> security_options() { return options; }

}  // namespace sonde
