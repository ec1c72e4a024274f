/* client_request.h: a form by which a client authenticates itself: what /auth, /token, /introspect
 * and /revoke share. */
#ifndef MINTD_API_CLIENT_REQUEST_H
#define MINTD_API_CLIENT_REQUEST_H

#include "api/api_internal.h"
#include "api/form.h"

#define CLIENT_REQUEST_PARAMETERS_MAX 8u

/* client_id and client_secret are always among the parameters. Holds secrets. */
struct client_request {
    unsigned count;
    struct form_parameter parameters[CLIENT_REQUEST_PARAMETERS_MAX];
    char client_id[OAUTH_CLIENT_ID_MAX + 1], client_secret[PASSWORD_SECRET_MAX];
    size_t address_size;
    char address[IP_TEXT_MAX + 1];   /* where the request comes from, for the log */
    char network[OAUTH_ADDRESS_MAX]; /* what its failures are counted under, where that differs */
};

void client_request_init(struct client_request *request,
                         struct oauth_authentication *authentication);
/* Wipes the secrets of both, at any time after the init. */
void client_request_wipe(struct client_request *request,
                         struct oauth_authentication *authentication);
/* One more parameter, into storage of the caller's. The returned place is stable. */
struct form_parameter *client_request_add(struct client_request *request, struct slice name,
                                          char *storage, size_t size);
/* The parameter `token`, of any length: one that does not fit into size bytes is none of ours. */
struct form_parameter *client_request_add_token(struct client_request *request, char *storage,
                                                size_t size);
/* Its value after client_request_read(): absent where it is missing, empty where it did not fit. */
struct slice client_request_token(const struct form_parameter *token);
/* Reads the body, the credentials and the client's address into the authentication. What is wrong,
 * before anybody looks at the credentials, or NONE. */
enum oauth_refusal client_request_read(struct client_request *request, const struct api *api,
                                       struct http_exchange *x,
                                       struct oauth_authentication *authentication);

/* Logs, counts and answers a refusal. */
void client_request_refuse(struct api *api, struct http_exchange *x, enum endpoint endpoint,
                           const struct client_request *request,
                           const struct oauth_authentication *authentication,
                           enum oauth_refusal refusal, enum store_trouble trouble);

#endif
