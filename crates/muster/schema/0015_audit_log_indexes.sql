-- What one request, one person or one bot did is found without reading what all others did.
create index audit_log_request on audit_log (tenant_id, request_id);
create index audit_log_operator on audit_log (tenant_id, operator_id, at) where operator_id is not null;
create index audit_log_bot on audit_log (tenant_id, bot_id, at) where bot_id is not null;
