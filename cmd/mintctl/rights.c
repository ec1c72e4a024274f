#include "rights.h"

const struct right_of_user rights[] = {
    {"get", RIGHT_NEEDED, "token:0", {NULL}},
    {"set", RIGHT_NEEDED, "schema", {"1", "NX"}},
    {"setex", RIGHT_NEEDED, "token:0", {"60", "{}"}},
    {"del", RIGHT_NEEDED, "token:0", {NULL}},
    {"hgetall", RIGHT_NEEDED, "client:0", {NULL}},
    {"hset", RIGHT_NEEDED, "new:{0}", {"scope", ""}},
    {"hexists", RIGHT_NEEDED, "client:0", {"secret:1"}},
    {"hdel", RIGHT_NEEDED, "client:0", {"secret:1:used"}},
    {"renamenx", RIGHT_NEEDED, "new:{0}", {NULL}}, /* its second key is added */
    {"sadd", RIGHT_NEEDED, "clients", {"0"}},
    {"sadd", RIGHT_FOR_LIST, "instances", {"0"}},
    {"srem", RIGHT_FOR_LIST, "instances", {"0"}},
    {"srandmember", RIGHT_FOR_PAGE, "instances", {"64"}},
    {"incr", RIGHT_NEEDED, "fail:0:0", {NULL}},
    {"multi", RIGHT_NEEDED, NULL, {NULL}},
    {"exec", RIGHT_NEEDED, NULL, {NULL}},
    {"ping", RIGHT_NEEDED, NULL, {NULL}},
    {"time", RIGHT_FOR_CLOCK, NULL, {NULL}},
    {"client|tracking", RIGHT_FOR_MEMORY, NULL, {"ON"}},
    {"select", RIGHT_FOR_DATABASE, NULL, {"0"}},
    {"exists", RIGHT_FOR_CLUSTER, "client:0", {NULL}},
    {"asking", RIGHT_FOR_CLUSTER, NULL, {NULL}},
    {"cluster|slots", RIGHT_FOR_CLUSTER, NULL, {NULL}},
    {"cluster|myid", RIGHT_FOR_CLUSTER, NULL, {NULL}},
    {"cluster|info", RIGHT_FOR_CLUSTER, NULL, {NULL}},
    {"wait", RIGHT_FOR_REPLICAS, NULL, {"1", "0"}},
    {"role", RIGHT_FOR_REPLICAS, NULL, {NULL}}, /* how many there are */
    {"watch", RIGHT_FOR_CLIENTS, "client:0", {NULL}},
    {"unwatch", RIGHT_FOR_CLIENTS, NULL, {NULL}},
    {"discard", RIGHT_FOR_CLIENTS, NULL, {NULL}},
    {"waitaof", RIGHT_FOR_FILES, NULL, {"1", "0", "0"}},
};

const size_t rights_count = sizeof rights / sizeof rights[0];
