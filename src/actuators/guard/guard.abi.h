// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// What the guard's programs and their user-space half agree on: the compiled rule set, counters, the log.
#ifndef SONDE_GUARD_ABI_H
#define SONDE_GUARD_ABI_H

#include <sonde/abi/event.h>

/*
 * Programs: guard_xdp, guard_ingress, guard_egress; for interfaces without a link header (ARPHRD_NONE: tun, wireguard)
 * guard_raw_ingress, guard_raw_egress. Maps: guard_rules, guard_totals, guard_buckets, guard_control, guard_log.
 *
 * A compiled rule set is one inner array map in the one slot of guard_rules: replacing the slot replaces tables, rules,
 * counters and source text at once, and a packet is decided by one rule set from end to end. A call that gives a
 * pointer into a map costs as much as the rest of the look-up, so its values are large, and what is asked most stands
 * in the first. Places in it are counted in elements of 128 bytes from its start.
 *
 * Sections: header, IPv4 index, filter, buckets; nodes (IPv4 leaves and tables, IPv6 trees), lists, records, ids,
 * numbers of limit rules, counters, source text.
 *
 * All integers are in host byte order, addresses as integers too.
 */
enum {
	SONDE_GUARD_MAGIC = 0x736e6764, // "sngd"
	SONDE_GUARD_VERSION = 1,
	SONDE_GUARD_ELEMENT_SIZE = 128,
	SONDE_GUARD_VALUE_SIZE = 1 << 21, // of the map: what a program gets by one call
	SONDE_GUARD_ELEMENTS_IN_VALUE = SONDE_GUARD_VALUE_SIZE / SONDE_GUARD_ELEMENT_SIZE,
	SONDE_GUARD_WORDS = 32, // 32-bit words of an element
	SONDE_GUARD_INDEX4_ENTRIES = 1 << 16,
	SONDE_GUARD_MAX_DEPTH = 8,        // levels of inner nodes of a tree
	SONDE_GUARD_MAX_EXTENSIONS = 192, // IPv6 extension headers: more than fit into 1500 bytes
	SONDE_GUARD_MAX_LIST = 1 << 20,   // rules that may concern one address; compile() refuses more
	SONDE_GUARD_MAX_RULES = 1 << 24,  // compile() refuses more
	SONDE_GUARD_LOG_BYTES = 128,      // of a packet in the log
	SONDE_EVENT_GUARD = 16,           // in sonde_event_header.type
};

// Values of sonde::GuardVerdict.
enum sonde_guard_verdict {
	SONDE_GUARD_NEVER_BLOCK = 0,
	SONDE_GUARD_ALLOW = 1,
	SONDE_GUARD_BLOCK = 2,
	SONDE_GUARD_LIMIT = 3,
	SONDE_GUARD_DEFAULT_DROP = 4,
};

enum {
	SONDE_GUARD_IN = 1,
	SONDE_GUARD_OUT = 2,
	SONDE_GUARD_FAMILY4 = 1,
	SONDE_GUARD_FAMILY6 = 2,
};

/*
 * What a look-up gives: two bits of kind, and by it
 * - NONE: 0, no rule
 * - RULE: one rule that says yes to every packet of its directions: directions (2 bits), verdict (3 bits: never_block,
 *   allow or block), number of the rule (24 bits)
 * - LIST: first word of a list, counted from the section of lists
 * - NODE: levels of inner nodes above the leaves (3 bits), element of the node of the section (27 bits)
 */
enum {
	SONDE_GUARD_KIND_NONE = 0,
	SONDE_GUARD_KIND_RULE = 1,
	SONDE_GUARD_KIND_LIST = 2,
	SONDE_GUARD_KIND_NODE = 3,
	SONDE_GUARD_KIND_SHIFT = 30,
	SONDE_GUARD_RULE_DIRECTIONS_SHIFT = 27,
	SONDE_GUARD_RULE_VERDICT_SHIFT = 24,
	SONDE_GUARD_RULE_MASK = (1 << 24) - 1,
	SONDE_GUARD_LIST_MASK = (1 << 29) - 1,
	SONDE_GUARD_NODE_DEPTH_SHIFT = 27,
	SONDE_GUARD_NODE_MASK = (1 << 27) - 1,
};

// Element 0.
struct sonde_guard_header {
	__u32 magic;
	__u32 version;
	__u64 generation; // names the rule set; in log records
	__u32 elements;   // of the map
	__u32 rules;
	__u32 index4;    // element of the IPv4 index; 0: no IPv4 network has a rule
	__u32 root6;     // reference by the upper 64 bits of an IPv6 address
	__u32 any;       // reference of kind LIST or NONE: rules for every address of a family
	__u32 any_needs; // enum sonde_guard_needs of that list
	__u32 any_first; // smallest verdict of that list; 255: it is empty
	__u32 lists;     // element
	__u32 list_words;
	__u32 records; // element
	__u32 record_count;
	__u32 ids;      // element: __u64 id of each rule
	__u32 counters; // element: shards * shard_elements, then shard_elements that only user space writes
	__u32 shards;
	__u32 shard_elements; // of eight counters each: one a rule, then one for what each limit rule drops
	__u32 shared_shards;  // 1: fewer shards than CPUs, counted with atomic instructions
	__u32 source;         // element: the text the rules came from
	__u32 limits;         // element: __u32 number of each limit rule, ascending
	__u32 limit_count;
	__u32 nodes;        // element that references of kind NODE count from
	__u32 buckets4;     // element of the buckets of IPv4 blocks
	__u32 bucket4_bits; // there are 1 << bucket4_bits
	__u32 filter4;      // element; 0: there is none
	__u32 filter4_bits; // it has 1 << filter4_bits
	__u64 source_size;  // bytes
	__u64 created_wall_ns;
};

/*
 * IPv4, before anything else: one bit for each /24 that has a rule, at SONDE_GUARD_FILTER4_HASH of its number. A table
 * that is small enough for the CPU's own cache lets most packets pass that no rule is for. Left out where it would be
 * larger.
 */
#define SONDE_GUARD_FILTER4_HASH(block, bits) (((block)*0x9e3779b1U) >> (32 - (bits)))
enum {
	SONDE_GUARD_FILTER4_LEAST_BITS = 10, // one element
	SONDE_GUARD_FILTER4_MOST_BITS = 22,  // 512 KiB
	SONDE_GUARD_FILTER4_SPARSITY = 12,   // bits for each /24, at least
};

/*
 * The index has a reference for each value of the upper 16 bits, and says whether some of the /24 blocks below differ
 * from it. Those are in a hash table of buckets of one cache line. The number of a block times an odd number, modulo
 * 2^24: the upper bucket4_bits are its bucket, the others its tag. Where a bucket is full, one of the next two takes
 * it.
 */
#define SONDE_GUARD_BUCKET4_HASH(block) (((block)*0x9e3779b1U) & 0xffffff)
enum {
	SONDE_GUARD_BLOCKS_DIFFER = 1 << 29, // in a reference of the index
	SONDE_GUARD_BUCKET4_LEAST_BITS = 10,
	SONDE_GUARD_BUCKET4_MOST_BITS = 22, // no bucket can overflow any more
	SONDE_GUARD_BUCKET4_BLOCKS = 8,
	SONDE_GUARD_BUCKET4_PROBES = 3,
	SONDE_GUARD_TAG_PROBE_SHIFT = 14, // how many buckets it is away from its own
	SONDE_GUARD_TAG_NONE = 0xffff,    // from here on the bucket is empty
	SONDE_GUARD_BUCKETS_IN_ELEMENT = 2,
};

// A block has its reference for the last bytes first to last, and that of the index for the others.
struct sonde_guard_bucket4 {
	__u16 tags[SONDE_GUARD_BUCKET4_BLOCKS];
	__u8 firsts[SONDE_GUARD_BUCKET4_BLOCKS];
	__u8 lasts[SONDE_GUARD_BUCKET4_BLOCKS];
	// NODE: element of a struct sonde_guard_leaf4; with a depth of 1: of 256 references
	__u32 references[SONDE_GUARD_BUCKET4_BLOCKS];
};

/*
 * Leaves and inner nodes hold the first address of ranges that cover all of them: the last start that is not above the
 * key is the one. Unused places repeat the last one.
 */
enum {
	SONDE_GUARD_LEAF4_RANGES = 24,
	SONDE_GUARD_LEAF6_RANGES = 10,
	SONDE_GUARD_INNER6_KEYS = 15,
};

struct sonde_guard_leaf4 {
	__u8 starts[SONDE_GUARD_LEAF4_RANGES]; // last bytes
	__u32 references[SONDE_GUARD_LEAF4_RANGES];
	__u32 reserved[2];
};

// By the upper 64 bits; a reference of kind NODE goes on with the lower 64.
struct sonde_guard_leaf6 {
	__u64 starts[SONDE_GUARD_LEAF6_RANGES];
	__u32 references[SONDE_GUARD_LEAF6_RANGES];
	__u32 reserved[2];
};

struct sonde_guard_inner6 {
	__u64 starts[SONDE_GUARD_INNER6_KEYS]; // first start of each child
	__u32 children;                        // element of the first one, the others follow
	__u32 keys;                            // how many children there are
};

/*
 * A list: how many words follow, what they need, and then a word a rule in the order in which they are asked: the
 * verdict (3 bits), one bit that says which it is, and either the number of a record or, for a rule that says yes to
 * every packet of its directions, these and the number of the rule.
 */
enum sonde_guard_needs {
	SONDE_GUARD_NEEDS_TRANSPORT = 1, // protocol or ports
	SONDE_GUARD_NEEDS_CLOCK = 2,     // a rule expires
};

enum {
	SONDE_GUARD_LIST_HEAD = 2, // words
	SONDE_GUARD_WORD_VERDICT_SHIFT = 29,
	SONDE_GUARD_WORD_RULE = 1 << 28, // else a record
	SONDE_GUARD_WORD_DIRECTIONS_SHIFT = 24,
	SONDE_GUARD_WORD_MASK = (1 << 24) - 1, // number of the rule or record
};

enum {
	SONDE_GUARD_RECORD_PROTOCOL = 1,
	SONDE_GUARD_RECORD_PORTS = 2,
	SONDE_GUARD_RECORD_DRY_RUN = 4,
	SONDE_GUARD_RECORD_RATE_IN_BYTES = 8,
	SONDE_GUARD_RECORDS = 2, // in an element
};

// A rule with a condition beyond its address, or that shares its addresses with others.
struct sonde_guard_record {
	__u64 id;
	__u64 expires_ns; // CLOCK_MONOTONIC; 0: never
	// Limit, as virtual scheduling (ITU-T I.371): a packet (or byte) takes cost_scale >> cost_shift nanoseconds;
	// who is further ahead of time than capacity_ns is above the rate.
	__u64 cost_scale;
	__u64 capacity_ns;
	__u32 rule;
	__u32 limited_counter; // number of the counter of what it dropped
	__u16 source_port_first;
	__u16 source_port_last;
	__u16 destination_port_first;
	__u16 destination_port_last;
	__u8 verdict;    // enum sonde_guard_verdict
	__u8 directions; // SONDE_GUARD_IN, SONDE_GUARD_OUT
	__u8 families;   // SONDE_GUARD_FAMILY4, SONDE_GUARD_FAMILY6
	__u8 flags;      // SONDE_GUARD_RECORD_*
	__u8 protocol;
	__u8 cost_shift;
	__u8 reserved[6];
	__u32 ifindex; // 0: any interface; ~0: one that is not there
};

enum { SONDE_GUARD_COUNTERS = 8 }; // in an element

struct sonde_guard_counter {
	__u64 packets;
	__u64 bytes;
};

/*
 * What became of a packet: exactly one of these. Element 0 of the per-CPU map guard_totals has a counter each; their
 * sum is what the programs have seen. Every name in sonde::guard::outcome_name().
 */
enum sonde_guard_outcome {
	SONDE_GUARD_PASSED = 0,        // no rule decided
	SONDE_GUARD_PASSED_NEVER = 1,  // by a never_block rule
	SONDE_GUARD_PASSED_ALLOW = 2,  // by an allow rule
	SONDE_GUARD_DROPPED_BLOCK = 3, // by a block rule
	SONDE_GUARD_PASSED_LIMIT = 4,  // within the rate of a limit rule
	SONDE_GUARD_DROPPED_LIMIT = 5, // above it
	SONDE_GUARD_DROPPED_DEFAULT = 6,
	SONDE_GUARD_NOT_IP = 7,    // passed: ARP and others
	SONDE_GUARD_MALFORMED = 8, // passed: headers cut short or contradictory, and no rule for its address
	// Passed although a default_drop rule matches:
	SONDE_GUARD_SPARED_FRAGMENT = 9,     // not the first fragment
	SONDE_GUARD_SPARED_DISCOVERY = 10,   // IPv6 neighbour and multicast listener discovery
	SONDE_GUARD_SPARED_LOOPBACK = 11,    // both addresses are loopback addresses
	SONDE_GUARD_SPARED_ESTABLISHED = 12, // of a connection of this host, or an ICMP error about one
	SONDE_GUARD_SPARED_DHCP = 13,
	SONDE_GUARD_UNGUARDED = 14, // passed: there is no rule set, or one this program does not understand
	SONDE_GUARD_OUTCOMES = 15,
};

struct sonde_guard_totals {
	struct sonde_guard_counter outcomes[SONDE_GUARD_OUTCOMES];
	__u64 logged;      // records handed to the ring
	__u64 log_lost;    // the ring had no room
	__u64 log_skipped; // left out by one in N or by the rate
	__u64 unlimited;   // packets that a limit rule let pass because its table had no room
};

// Key and value of guard_buckets, an LRU table: who is limited.
struct sonde_guard_bucket_key {
	__u64 id;         // of the rule: survives a new rule set
	__u8 address[16]; // of the peer, network byte order; IPv4 as ::ffff:a.b.c.d
};

struct sonde_guard_bucket {
	__u64 ahead_ns; // CLOCK_MONOTONIC until which the rate is used up
};

// Element 0 of guard_control, an array map that user space may mmap. Zero: nothing is logged.
struct sonde_guard_control {
	__u64 deadline_ns;  // CLOCK_MONOTONIC; packets are logged until then, a reader moves it on
	__u32 outcomes;     // bit 1 << enum sonde_guard_outcome: which are logged
	__u32 one_in;       // log one in so many; 0 and 1: all
	__u32 per_second;   // at most so many a second; 0: as many as come
	__u32 window_count; // written by the programs: records since window_ns
	__u64 window_ns;    // written by the programs
};

enum {
	SONDE_GUARD_LOG_DRY_RUN = 1, // the rule would have decided so
	SONDE_GUARD_LOG_OUT = 2,     // a packet that is sent
	SONDE_GUARD_LOG_RAW_IP = 4,  // bytes start with the IP header
};

// In the ring buffer guard_log.
struct sonde_guard_log {
	struct sonde_event_header header; // type SONDE_EVENT_GUARD
	__u64 generation;                 // of the rule set
	__u64 rule_id;                    // 0: no rule
	__u32 rule;                       // number of the rule in its rule set; ~0: no rule
	__u32 packet_size;                // bytes, from the link header on
	__u16 captured_size;              // of these, in `bytes`
	__u8 outcome;                     // enum sonde_guard_outcome
	__u8 flags;                       // SONDE_GUARD_LOG_*
	__u8 reserved[4];
	__u8 bytes[SONDE_GUARD_LOG_BYTES]; // zero behind captured_size
};

#endif
