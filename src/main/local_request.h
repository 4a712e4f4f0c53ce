/* Who asks: somebody on this machine, and nobody through them. */
#ifndef MAIN_LOCAL_REQUEST_H
#define MAIN_LOCAL_REQUEST_H

#include "net/server.h"

/*
 * The request comes from this machine (by the address of its peer), is addressed to it (Host is localhost, 127.0.0.1 or [::1], with
 * any port), and was not passed on by a proxy (X-Forwarded-For, X-Forwarded-Host, Forwarded). The address alone would let a web page
 * ask through a browser here, under a name of its own that leads to 127.0.0.1, and anybody through a proxy on the node. What
 * kubectl port-forward brings is local: its user was let in by the API server.
 */
bool request_is_local(const struct http_server_request *req);

#endif
