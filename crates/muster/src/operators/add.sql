-- Makes the person with this address a member of the acting tenant; null where they are one already.
select add_member($1, $2, $3) as id
