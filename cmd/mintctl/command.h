/* command.h: what a command returns, and all of them. */
#ifndef MINTCTL_COMMAND_H
#define MINTCTL_COMMAND_H

#include "arguments.h"
#include "clients/status.h"

enum status client_add(const struct arguments *arguments);
enum status client_set(const struct arguments *arguments);
enum status client_list(const struct arguments *arguments);
enum status client_show(const struct arguments *arguments);
enum status client_rotate(const struct arguments *arguments);
enum status client_disable(const struct arguments *arguments);
enum status client_enable(const struct arguments *arguments);
enum status client_remove(const struct arguments *arguments);
enum status client_apply(const struct arguments *arguments);
enum status client_export(const struct arguments *arguments);
enum status token_mint(const struct arguments *arguments);
enum status token_show(const struct arguments *arguments);
enum status token_revoke(const struct arguments *arguments);
enum status token_revoke_all(const struct arguments *arguments);
enum status token_key(const struct arguments *arguments);
enum status explain(const struct arguments *arguments);
enum status acl(const struct arguments *arguments);
enum status doctor(const struct arguments *arguments);
enum status show_status(const struct arguments *arguments);
enum status show_top(const struct arguments *arguments);
enum status health(const struct arguments *arguments);
enum status completion(const struct arguments *arguments);
enum status help(const struct arguments *arguments);
enum status version(const struct arguments *arguments);

#endif
