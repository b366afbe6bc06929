// SPDX-License-Identifier: Apache-2.0
// Benign scenes, by what they resemble.
#pragma once
#include "traffic.hpp"

namespace sonde::corpus {

// Clients and peers: what resembles scans.
void web(Traffic& traffic);
void crawler(Traffic& traffic);
void peer_to_peer(Traffic& traffic);
void nat_gateway(Traffic& traffic);
void mail_server(Traffic& traffic);
void traceroutes(Traffic& traffic);
void discovery(Traffic& traffic);
void port_reuse(Traffic& traffic);
void from_the_middle(Traffic& traffic);
void calls(Traffic& traffic);

// Servers and operation.
void health_checks(Traffic& traffic);
void monitoring(Traffic& traffic);
void outage(Traffic& traffic);
void lost_backend(Traffic& traffic);
void recursive_resolver(Traffic& traffic);

// Much at once: what resembles floods.
void backup(Traffic& traffic);
void iperf(Traffic& traffic);
void dns_peak(Traffic& traffic);
void flash_crowd(Traffic& traffic);
void one_way_telemetry(Traffic& traffic);
void time_server(Traffic& traffic);
void large_answers(Traffic& traffic);

// The local network and names.
void local_network(Traffic& traffic);
void failover(Traffic& traffic);
void names(Traffic& traffic);
void mail_names(Traffic& traffic);

// A day of work of a host, with its programs.
void office(Traffic& traffic);
void servers_day(Traffic& traffic);

}  // namespace sonde::corpus
