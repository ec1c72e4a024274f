-- Asks mintd about a request: the action "http-request lua.mintd_verify SCOPE" of haproxy.cfg.
-- SCOPE: the scopes that the token has to have, separated by spaces; "-" for any good token.
-- Sets txn.mintd_status (200, 401, 403; anything else: no answer, refuse), txn.mintd_challenge, and
-- on 200 txn.mintd_client_id, _scope, _audience, _expires_at.

local url = os.getenv("MINTD_VERIFY_URL")
local timeout_ms = 1000

-- Every Authorization field goes along: mintd refuses a request that has two.
local function fields_of(txn, scope)
    local fields = {}
    local received = txn.http:req_get_headers()
    for _, name in ipairs({"authorization", "x-request-id"}) do
        for i = 0, #(received[name] or {}) do
            if received[name] and received[name][i] then
                fields[name] = fields[name] or {}
                table.insert(fields[name], received[name][i])
            end
        end
    end
    if scope ~= "-" then
        fields["x-auth-require-scope"] = {scope}
    end
    return fields
end

local function verify(txn, scope)
    txn:set_var("txn.mintd_status", 0)
    local answer = core.httpclient():get{url = url, headers = fields_of(txn, scope), timeout = timeout_ms}
    local function field(name)
        return answer.headers and answer.headers[name] and answer.headers[name][0] or "-"
    end
    txn:set_var("txn.mintd_challenge", field("www-authenticate"))
    txn:set_var("txn.mintd_client_id", field("x-auth-client-id"))
    txn:set_var("txn.mintd_scope", field("x-auth-scope"))
    txn:set_var("txn.mintd_audience", field("x-auth-audience"))
    txn:set_var("txn.mintd_expires_at", field("x-auth-expires-at"))
    txn:set_var("txn.mintd_status", tonumber(answer.status) or 0)
end

core.register_action("mintd_verify", {"http-req"}, verify, 1)
