-- Stores a member's password, where the acting tenant may let them set it.
update operators set password_hash = $2 where id = $1 and may_set_password($1)
