-- Whether the acting tenant may let this member set a password by a link.
select may_set_password($1) as "may!"
