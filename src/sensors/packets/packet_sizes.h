/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The sizes that packets have on the wire, and what interfaces count: part of packets.bpf.c, for `sonde stats`.
 */
#ifndef SONDE_PACKET_SIZES_H
#define SONDE_PACKET_SIZES_H

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 2048);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* no memory where nobody asks for sizes */
	__type(key, struct sonde_size_key);
	__type(value, struct sonde_sizes);
} sonde_sizes SEC(".maps");

/* Classes of RFC 2819 (etherStatsPkts64Octets ...), whose sizes include the frame check sequence. */
static __always_inline __u32 size_class(__u32 bytes)
{
	enum { FRAME_CHECK_SEQUENCE = 4 };

	bytes += FRAME_CHECK_SEQUENCE;
	if (bytes <= 64)
		return 0;
	if (bytes <= 127)
		return 1;
	if (bytes <= 255)
		return 2;
	if (bytes <= 511)
		return 3;
	if (bytes <= 1023)
		return 4;
	return bytes <= 1518 ? 5 : 6;
}

/*
 * A packet of offload is cut into segments of gso_size bytes of payload, each behind a copy of the headers; the last one
 * has the rest. Without gso_size (XDP) or with headers that could not be read, its segments count as of equal size.
 */
static __always_inline void count_segments(struct sonde_sizes *sizes, const struct sonde_packet_event *event,
					   __u32 segment_payload)
{
	__u32 segments = event->segments;
	__u32 full = event->payload_offset + segment_payload;
	__u64 in_full = (__u64)(segments - 1) * segment_payload + event->payload_offset;

	sizes->wire_packets += segments;
	sizes->wire_bytes += event->packet_size + (__u64)(segments - 1) * event->payload_offset;
	if (!segment_payload || in_full >= event->packet_size) {
		sizes->classes[size_class(event->packet_size / segments)] += segments;
		return;
	}
	sizes->classes[size_class(full)] += segments - 1;
	sizes->classes[size_class(event->packet_size - (__u32)in_full + event->payload_offset)]++;
}

static __always_inline void count_size(const struct sonde_packet_event *event, __u32 segment_payload,
				       struct sonde_counters *counters)
{
	struct sonde_size_key key = {.ifindex = event->header.ifindex, .direction = event->direction};
	struct sonde_sizes *sizes = bpf_map_lookup_elem(&sonde_sizes, &key);
	struct sonde_sizes zero = {};

	if (!sizes) {
		bpf_map_update_elem(&sonde_sizes, &key, &zero, BPF_NOEXIST);
		sizes = bpf_map_lookup_elem(&sonde_sizes, &key);
	}
	if (!sizes) {
		counters->uncounted++;
		return;
	}
	sizes->frames++;
	if (event->segments > 1) {
		count_segments(sizes, event, segment_payload);
		return;
	}
	sizes->wire_packets++;
	sizes->wire_bytes += event->packet_size;
	sizes->classes[size_class(event->packet_size)]++;
}

#endif
