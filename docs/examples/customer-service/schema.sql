-- The tables of the service. Those of Strongroom itself are made by `strongroom init`.

create table accounts (
  id uuid primary key,
  tenant uuid not null,
  email text not null,                   -- encrypted
  email_index text collate "C" not null, -- the blind index of the e-mail: no two accounts have the same
  password_hash text not null,           -- Argon2id, encrypted under the pepper
  constraint accounts_email unique (email_index)
);

create table sessions (
  digest text primary key, -- SHA-256 of the token: whoever reads the table cannot use it
  account uuid not null references accounts on delete cascade,
  tenant uuid not null,
  ends_at timestamptz not null
);

create table customers (
  id uuid primary key,
  tenant uuid not null,
  name text not null,  -- encrypted
  email text not null, -- encrypted
  email_index text collate "C" not null,
  notes text not null, -- encrypted, also where there are none
  added_at timestamptz not null default now()
);
create index customers_tenant on customers (tenant, id);
create index customers_email on customers (tenant, email_index);
