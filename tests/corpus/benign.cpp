// SPDX-License-Identifier: Apache-2.0
#include "benign.hpp"

#include "scenes.hpp"

namespace sonde::corpus {

namespace {

constexpr BenignScene scenes[] = {
    {"web", "browsing: pages from 150 servers, up to 8 % of connections fail", web},
    {"crawler", "12 hosts a second, of which 5 to 35 % do not answer", crawler},
    {"peer-to-peer", "BitTorrent: peers on random ports, 40 to 85 % of TCP and 30 to 70 % of DHT unanswered",
     peer_to_peer},
    {"nat-gateway", "20 to 80 browsing clients behind one address, some with file sharing", nat_gateway},
    {"mail-server", "mail to many servers, 40 % of which do not answer", mail_server},
    {"traceroute", "by UDP and TCP", traceroutes},
    {"discovery", "SSDP, mDNS and NetBIOS, answered by up to 120 devices", discovery},
    {"port-reuse", "a client that uses its ports again at once; late FIN, RST, ACK", port_reuse},
    {"middle", "100 to 600 connections that began before the capture", from_the_middle},
    {"calls", "RTP to thousands of ports of a media server, candidates of ICE that lead nowhere", calls},
    {"health-checks", "1 to 60 backends every second, some or all of them dead", health_checks},
    {"monitoring", "500 hosts by ICMP, SNMP and TCP, up to 10 % and a rack of 22 down", monitoring},
    {"outage", "50 to 300 hosts are polled, then the network is gone", outage},
    {"lost-backend", "50 to 1500 connections a second to one port that refuses, or does not answer any more",
     lost_backend},
    {"resolver", "recursive resolver: 50 queries a second, up to 20 % of servers silent", recursive_resolver},
    {"backup", "TCP at line rate, NFS over UDP in fragments", backup},
    {"iperf", "1 to 4 UDP streams of up to 90,000 packets/s", iperf},
    {"dns-peak", "a DNS server's queries rise from 100 to 6000/s", dns_peak},
    {"flash-crowd", "up to 2500 connections a second from 3000 clients", flash_crowd},
    {"telemetry", "syslog or NetFlow of up to 60 senders, with a burst", one_way_telemetry},
    {"time-server", "1000 NTP clients a second, 40 % from port 123", time_server},
    {"large-answers", "DNS answers of 1500 bytes, late, in fragments, or asked for before the capture", large_answers},
    {"local-network", "ARP of 100 hosts, leases that move, a router with proxy ARP", local_network},
    {"failover", "VRRP: up to 40 addresses go to another router and back, with and without virtual MAC", failover},
    {"names", "names of CDNs and clouds, hashes of a virus scanner", names},
    {"mail-names", "DNSBL (IPv4, IPv6), reverse DNS, DKIM, DMARC, ACME", mail_names},
    {"office", "2 hours of browser, ssh, mail, NTP and agents, with their owners", office, true},
    {"servers-day", "2 hours of a server: database pool, partners, regular clients, Prometheus, NTP", servers_day,
     true},
};

}  // namespace

std::span<const BenignScene> benign_scenes() { return scenes; }

}  // namespace sonde::corpus
