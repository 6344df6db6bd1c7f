-- The moment of the transaction.
select now() as "at!"
