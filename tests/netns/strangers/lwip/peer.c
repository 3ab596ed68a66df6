/* A host of lwIP's with one connection: says the content of one file, writes what it hears to another.
 *
 *     peer INTERFACE LOCAL REMOTE PORT (opens | waits) (closes-first | closes-second) SAID HEARD
 *
 * Either end has the same PORT. Prints "up" when it can be reached, "heard" when the remote end has closed and all was
 * said; stays, for what may have to be sent again, until its standard input ends.
 *
 * The host is on the wire by a packet socket, with a hardware address of its own: the kernel of the machine takes no
 * notice of it, as its IP address is nobody's there.
 */
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/netif.h>
#include <lwip/sockets.h>
#include <lwip/tcpip.h>

#include <arpa/inet.h>
#include <err.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MTU = 1500, LONGEST_FRAME = 14 + MTU, PREFIX_V4 = 24 };

union endpoint {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* ---- the interface ---- */

static struct netif host;
static int wire;

static void open_wire(const char *interface)
{
    struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(0x0003) /* all */ };
    int ignore_outgoing = 1;

    at.sll_ifindex = if_nametoindex(interface);
    wire = socket(AF_PACKET, SOCK_RAW, 0);
    if (wire < 0 || setsockopt(wire, SOL_PACKET, 23 /* PACKET_IGNORE_OUTGOING */, &ignore_outgoing, sizeof ignore_outgoing)
        || bind(wire, (struct sockaddr *)&at, sizeof at))
        err(1, "a packet socket on %s", interface);
}

static err_t leave(struct netif *netif, struct pbuf *packet)
{
    u8_t frame[LONGEST_FRAME];
    u16_t length = pbuf_copy_partial(packet, frame, sizeof frame, 0);

    (void)netif;
    return send(wire, frame, length, 0) == length ? ERR_OK : ERR_IF;
}

/* Takes what is for this host or for several; what is for others would be forwarded. */
static void take_frames(void *unused)
{
    u8_t frame[LONGEST_FRAME];

    (void)unused;
    for (;;) {
        ssize_t length = recv(wire, frame, sizeof frame, 0);
        bool for_several = frame[0] & 1;
        struct pbuf *packet;

        if (length < 0)
            err(1, "receive");
        if (length < SIZEOF_ETH_HDR || (!for_several && memcmp(frame, host.hwaddr, ETH_HWADDR_LEN)))
            continue;
        /* Not of the pool: in Debian's 2.1.3 its blocks are shorter than pbuf_alloc takes them for. */
        packet = pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_RAM);
        if (!packet)
            continue; /* lost, as it might be anywhere */
        pbuf_take(packet, frame, (u16_t)length);
        if (host.input(packet, &host) != ERR_OK)
            pbuf_free(packet);
    }
}

static err_t set_up(struct netif *netif)
{
    netif->name[0] = 'p';
    netif->name[1] = 's';
    netif->mtu = MTU;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6;
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = leave;
    return ERR_OK;
}

/* Of this family and last octet there is but one host on the wire. */
static void name_host(const union endpoint *local)
{
    bool is_v6 = local->any.sa_family == AF_INET6;
    const u8_t *last = is_v6 ? &local->v6.sin6_addr.s6_addr[15] : (const u8_t *)&local->v4.sin_addr + 3;
    const u8_t hardware[ETH_HWADDR_LEN] = { 0x02, 0, 0, 0, is_v6, *last };

    memcpy(host.hwaddr, hardware, sizeof hardware);
    srand(is_v6 << 8 | *last); /* lwIP's source of randomness */
}

static void go_up(const union endpoint *local)
{
    ip4_addr_t v4 = { 0 }, mask = { lwip_htonl(~0u << (32 - PREFIX_V4)) }, none = { 0 };

    tcpip_init(NULL, NULL);
    LOCK_TCPIP_CORE();
    if (local->any.sa_family == AF_INET)
        v4.addr = local->v4.sin_addr.s_addr;
    if (!netif_add(&host, &v4, &mask, &none, NULL, set_up, tcpip_input))
        errx(1, "lwIP takes no interface");
    if (local->any.sa_family == AF_INET6) {
        ip6_addr_t v6 = { 0 };
        memcpy(v6.addr, &local->v6.sin6_addr, sizeof v6.addr);
        netif_ip6_addr_set(&host, 0, &v6);
        netif_ip6_addr_set_state(&host, 0, IP6_ADDR_PREFERRED); /* nobody else can have it: no detection */
    }
    name_host(local);
    netif_set_default(&host);
    netif_set_link_up(&host);
    netif_set_up(&host);
    UNLOCK_TCPIP_CORE();
    sys_thread_new("wire", take_frames, NULL, 0, 0);
}

/* ---- the connection ---- */

static union endpoint endpoint(const char *address, const char *port)
{
    union endpoint end = { 0 };

    if (inet_pton(AF_INET, address, &end.v4.sin_addr) == 1) {
        end.v4.sin_family = AF_INET;
        end.v4.sin_port = htons((u16_t)atoi(port));
    } else if (inet_pton(AF_INET6, address, &end.v6.sin6_addr) == 1) {
        end.v6.sin6_family = AF_INET6;
        end.v6.sin6_port = htons((u16_t)atoi(port));
    } else {
        errx(2, "%s is no address", address);
    }
    return end;
}

static void announce(const char *word)
{
    puts(word);
    fflush(stdout);
}

static int open_connection(const union endpoint *local, const union endpoint *remote, bool opens)
{
    socklen_t length = local->any.sa_family == AF_INET ? sizeof local->v4 : sizeof local->v6;
    int end = lwip_socket(local->any.sa_family, SOCK_STREAM, 0);

    if (end < 0 || lwip_bind(end, &local->any, length))
        err(1, "bind");
    if (opens) {
        announce("up");
        if (lwip_connect(end, &remote->any, length))
            err(1, "connect");
        return end;
    }
    if (lwip_listen(end, 1))
        err(1, "listen");
    announce("up");
    return lwip_accept(end, NULL, NULL);
}

/* Says a text while it hears another; closes behind the text, or when both are through. */
static void converse(int end, const char *text, size_t left, bool closes_first, FILE *heard)
{
    bool hears = true;

    while (left || hears) {
        struct pollfd ready = { .fd = end, .events = (left ? POLLOUT : 0) | (hears ? POLLIN : 0) };
        char some[4096];
        ssize_t length;

        if (lwip_poll(&ready, 1, -1) < 0)
            err(1, "poll");
        if (left && ready.revents & POLLOUT) {
            length = lwip_send(end, text, left, MSG_DONTWAIT);
            if (length < 0 && errno != EWOULDBLOCK)
                err(1, "send");
            if (length > 0) {
                text += length;
                left -= length;
            }
            if (!left && closes_first && lwip_shutdown(end, SHUT_WR))
                err(1, "shutdown");
        }
        if (hears && ready.revents & POLLIN) {
            length = lwip_recv(end, some, sizeof some, MSG_DONTWAIT);
            if (length < 0 && errno != EWOULDBLOCK)
                err(1, "receive");
            hears = length != 0;
            if (length > 0)
                fwrite(some, 1, length, heard);
        }
    }
    if (lwip_close(end))
        err(1, "close");
}

int main(int count, char *arguments[])
{
    enum { INTERFACE = 1, LOCAL, REMOTE, PORT, OPENS, CLOSES, SAID, HEARD, ALL };
    static char text[1 << 20];
    union endpoint local, remote;
    FILE *said, *heard;
    size_t length;
    int end;

    if (count != ALL)
        errx(2, "usage: peer INTERFACE LOCAL REMOTE PORT opens|waits closes-first|closes-second SAID HEARD");
    local = endpoint(arguments[LOCAL], arguments[PORT]);
    remote = endpoint(arguments[REMOTE], arguments[PORT]);
    said = fopen(arguments[SAID], "r");
    heard = fopen(arguments[HEARD], "w");
    if (!said || !heard)
        err(1, "%s, %s", arguments[SAID], arguments[HEARD]);
    length = fread(text, 1, sizeof text, said);

    open_wire(arguments[INTERFACE]);
    go_up(&local);
    end = open_connection(&local, &remote, !strcmp(arguments[OPENS], "opens"));
    if (end < 0)
        err(1, "open");
    converse(end, text, length, !strcmp(arguments[CLOSES], "closes-first"), heard);
    if (fclose(heard))
        err(1, "%s", arguments[HEARD]);
    announce("heard");
    while (getchar() != EOF)
        ;
    _exit(0); /* lwIP's threads have no end */
}
