-- The sealed secrets of an account.
select username, password_encrypted, access_token_encrypted from accounts where tenant_id = $1 and id = $2
