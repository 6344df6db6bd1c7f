-- Removes the proxies that an import made, where they are as it made them and no account uses them.
delete from proxies p
using import_rows r
where r.tenant_id = $1 and r.import_id = $2 and r.verdict = 'new' and p.tenant_id = $1 and p.id = r.target_id
    and p.account_count = 0 and fields_hold(proxy_fields(p), r.data)
