/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Members of kernel structs that sonde reads, and no others. Offsets come from the running kernel's BTF when a program
 * is loaded (CO-RE), so order, size and what stands between do not matter here; names and types do. What changed its
 * name or place between kernels has an accessor in compat.h, with the commit.
 */
#ifndef SONDE_BPF_KERNEL_H
#define SONDE_BPF_KERNEL_H

#include <linux/bpf.h>
#include <stdbool.h>

#define SONDE_CORE __attribute__((preserve_access_index))

struct ns_common {
	unsigned int inum;
} SONDE_CORE;

struct net_device;
struct net {
	struct ns_common ns;
	struct net_device *loopback_dev;
} SONDE_CORE;

typedef struct {
	struct net *net;
} SONDE_CORE possible_net_t;

/* Stands for struct in6_addr, which the UAPI has without relocations. */
struct sonde_in6_addr {
	__u8 bytes[16];
};

struct proto {
	unsigned long *memory_pressure; /* 0: none */
} SONDE_CORE;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport; /* network byte order */
	__u16 skc_num;    /* host byte order */
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct proto *skc_prot;
	struct sonde_in6_addr skc_v6_daddr;
	struct sonde_in6_addr skc_v6_rcv_saddr;
	struct {
		__s64 counter;
	} skc_cookie;            /* 0: nobody has asked for it yet */
	unsigned long skc_flags; /* bits of enum sock_flags */
} SONDE_CORE;

struct sock {
	struct sock_common __sk_common;
	int sk_err;
	int sk_err_soft; /* what ICMP said; becomes sk_err when the kernel gives up */
	__u16 sk_protocol;
	__u8 sk_shutdown;      /* RCV_SHUTDOWN 1, SEND_SHUTDOWN 2 */
	__u8 sk_kern_sock : 1; /* the kernel's own */
	int sk_rcvbuf;
	int sk_rcvlowat; /* SO_RCVLOWAT */
	struct {
		struct {
			int counter;
		} rmem_alloc; /* what lies unread, with its overhead */
	} sk_backlog;
	struct {
		int owned; /* a system call works on it */
	} sk_lock;
	struct socket_wq *sk_wq;  /* who waits on it */
	struct socket *sk_socket; /* NULL: not accepted yet, or closed */
	void *sk_user_data;       /* struct sk_psock * of a socket in a socket map, with flags in the lowest 3 bits */
} SONDE_CORE;

struct list_head {
	struct list_head *next;
} SONDE_CORE;

struct wait_queue_entry {
	void *func; /* woken_wake_function() for a blocked system call */
	struct list_head entry;
} SONDE_CORE;

struct wait_queue_head {
	struct list_head head;
} SONDE_CORE;

struct socket_wq {
	struct wait_queue_head wait;
} SONDE_CORE;

struct sk_psock {
	struct {
		struct {
			int counter;
		} refs;
	} refcnt;
} SONDE_CORE;

struct kernfs_node {
	__u64 id;
	const char *name; /* of the root: "" */
} SONDE_CORE;

struct cgroup_root;
struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
} SONDE_CORE;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
} SONDE_CORE;

/* Values depend on the configuration: ask with bpf_core_enum_value(). */
enum cgroup_subsys_id {
	cpu_cgrp_id = 1,
	memory_cgrp_id = 4,
	pids_cgrp_id = 11,
};

struct css_set {
	struct cgroup_subsys_state *subsys[1]; /* by enum cgroup_subsys_id */
	struct cgroup *dfl_cgrp;
} SONDE_CORE;

struct nsproxy {
	struct net *net_ns;
} SONDE_CORE;

struct signal_struct {
	struct {
		int counter;
	} live; /* threads that have not begun to exit */
} SONDE_CORE;

struct mm_struct {
	unsigned long arg_start; /* argv as the program got it, in its memory */
	unsigned long arg_end;
} SONDE_CORE;

struct linux_binprm {
	const char *filename; /* what execve() was given */
	const char *interp;   /* what runs: for a script its interpreter, else as filename */
} SONDE_CORE;

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t euid;
} SONDE_CORE;

struct task_struct {
	int pid;
	int tgid;
	__u64 start_boottime;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	const struct cred *cred;
	struct css_set *cgroups;
	struct nsproxy *nsproxy; /* NULL once the task exits */
	struct signal_struct *signal;
	struct mm_struct *mm;
	unsigned int flags;
	char comm[16];
} SONDE_CORE;

struct file {
	unsigned int f_flags; /* O_NONBLOCK ... */
} SONDE_CORE;

struct socket {
	struct sock *sk;
	struct file *file;
} SONDE_CORE;

struct bpf_iter_meta {
	void *seq;
	__u64 session_id;
	__u64 seq_num;
} SONDE_CORE;

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
} SONDE_CORE;

struct net_device {
	char name[16];
	int ifindex;
	unsigned short type; /* ARPHRD_ETHER = 1 ... */
	possible_net_t nd_net;
} SONDE_CORE;

struct dst_entry {
	struct net_device *dev;
} SONDE_CORE;

/* Offsets count from head. 0xffff: not set; the network header is 0 before it is set. */
struct sk_buff {
	struct sock *sk;
	struct net_device *dev;    /* shares its place with other things, see sonde_packet_device() */
	unsigned long _skb_refdst; /* struct dst_entry *, with a flag in bit 0 */
	unsigned int len;          /* from data on */
	unsigned int data_len;     /* of these, outside the linear part */
	int skb_iif;               /* interface that received the packet; 0: none */
	__be16 protocol;
	__be16 vlan_proto;
	__u16 vlan_tci;
	__u16 network_header;
	__u16 mac_header;
	__u8 cloned : 1;  /* somebody has, or had, a copy */
	unsigned int end; /* struct skb_shared_info */
	unsigned char *head;
	unsigned char *data;
	char cb[48];
} SONDE_CORE;

/* In sk_buff.cb of a segment in the queue of its socket. */
struct tcp_skb_cb {
	__u32 seq;     /* host byte order */
	__u32 end_seq; /* SYN and FIN count as one */
	__u16 tcp_gso_segs;
	__u16 tcp_flags; /* __u8 before Linux 6.18: read as a bit field, which takes the size from BTF */
	__u8 sacked;
} SONDE_CORE;

struct skb_shared_info {
	unsigned short gso_segs;
} SONDE_CORE;

/* The values come from the running kernel (bpf_core_enum_value). */
enum sock_flags {
	SOCK_DEAD,
	SOCK_DONE,     /* the peer's FIN has come */
	SOCK_ZEROCOPY, /* SO_ZEROCOPY */
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport; /* network byte order */
} SONDE_CORE;

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	const void *icsk_ulp_ops; /* upper layer protocol: TLS in the kernel, MPTCP; NULL: none */
	__u32 icsk_rto;           /* jiffies */
	__u8 icsk_ca_state : 5;   /* enum tcp_ca_state */
	__u8 icsk_retransmits;    /* timeouts in a row */
	__u8 icsk_pending;        /* timer: 0 none, 1 RTO, 2 RACK, 3 zero window, 5 tail-loss probe */
} SONDE_CORE;

struct rb_node;
struct rb_root {
	struct rb_node *rb_node; /* NULL: empty */
} SONDE_CORE;

/* What the peer's SYN said, and its last timestamp. */
struct tcp_options_received {
	__u32 ts_recent;
	__u16 tstamp_ok : 1;
	__u16 sack_ok : 3;
	__u16 snd_wscale : 4; /* of the windows that the peer announces */
	__u16 rcv_wscale : 4; /* of ours */
	__u16 mss_clamp;
} SONDE_CORE;

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 rcv_nxt;
	__u32 rcv_wup;  /* rcv_nxt when the peer was last told of a window */
	__u32 rcv_wnd;  /* that window, bytes */
	__u32 snd_wnd;  /* bytes behind snd_una that the peer takes */
	__u32 tsoffset; /* of our TSval beside the clock */
	__u16 advmss;
	__u8 ecn_flags;
	__u8 is_mptcp : 1;
	__u8 tcp_usec_ts : 1; /* timestamps in microseconds, Linux 6.7 */
	struct tcp_options_received rx_opt;
	struct rb_root out_of_order_queue;
	void *md5sig_info; /* RFC 2385 */
	void *ao_info;     /* RFC 5925, Linux 6.7 */
	void *fastopen_rsk;
	__u64 bytes_acked;
	__u64 bytes_received;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u32 segs_out;
	__u32 segs_in;
	__u32 data_segs_in;
	__u32 total_retrans;
	__u32 srtt_us; /* eight times the smoothed RTT */
	__u32 snd_una;
	__u32 snd_nxt;
	__u32 write_seq;
	__u32 copied_seq; /* next byte that the reader has not got yet */
	__u32 rcv_tstamp; /* jiffies */
	__u32 snd_cwnd;   /* segments */
	__u32 dsack_dups; /* segments that the peer says it got twice */
	__u32 undo_marker;
	__u64 tcp_clock_cache; /* CLOCK_MONOTONIC ns when the kernel began to handle the running timer or packet */
	__u8 repair : 1;
} SONDE_CORE;

struct request_sock {
	struct sock_common __req_common;
	__u8 num_retrans;
} SONDE_CORE;

struct inet_request_sock {
	struct request_sock req;
} SONDE_CORE;

struct tcp_request_sock {
	struct inet_request_sock req;
	__u32 snt_isn; /* host byte order */
} SONDE_CORE;

struct udp_sock {
	struct inet_sock inet;
} SONDE_CORE;

struct inet_timewait_sock {
	struct sock_common __tw_common;
	volatile unsigned char tw_substate;
} SONDE_CORE;

struct tcp_timewait_sock {
	struct inet_timewait_sock tw_sk;
} SONDE_CORE;

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
} SONDE_CORE;

struct bpf_iter__udp {
	struct bpf_iter_meta *meta;
	struct udp_sock *udp_sk;
} SONDE_CORE;

#endif
