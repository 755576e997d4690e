
CREATE TABLE head (
    space integer NOT NULL,
    life smallint NOT NULL,
    version bigint NOT NULL,
    revision bigint NOT NULL,
    type text NOT NULL COLLATE pg_catalog."C",
    id bytea NOT NULL
)
WITH (fillfactor='80');

CREATE TABLE held_key (
    space integer NOT NULL,
    type text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    value bytea NOT NULL,
    id bytea NOT NULL,
    whole_value bytea
);

CREATE TABLE held_reference (
    space integer NOT NULL,
    target_type text NOT NULL COLLATE pg_catalog."C",
    target_id bytea NOT NULL,
    source_type text NOT NULL COLLATE pg_catalog."C",
    source_id bytea NOT NULL,
    field text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE log (
    revision bigint NOT NULL,
    version bigint NOT NULL,
    previous bigint NOT NULL,
    created_at_us bigint NOT NULL,
    updated_at_us bigint NOT NULL,
    edited_at_us bigint,
    space integer NOT NULL,
    kind smallint NOT NULL,
    type text NOT NULL COLLATE pg_catalog."C",
    id bytea NOT NULL,
    created_by text NOT NULL COLLATE pg_catalog."C",
    updated_by text NOT NULL COLLATE pg_catalog."C",
    operation bytea NOT NULL,
    salt bytea NOT NULL,
    content_digest bytea NOT NULL,
    chain_hash bytea NOT NULL,
    fields bytea
);

CREATE TABLE receipt (
    version bigint,
    revision bigint,
    at_us bigint NOT NULL,
    checksum bigint NOT NULL,
    space integer NOT NULL,
    code smallint NOT NULL,
    principal text NOT NULL COLLATE pg_catalog."C",
    operation bytea NOT NULL,
    content bytea NOT NULL
);

CREATE TABLE schema (
    space integer NOT NULL,
    version bigint NOT NULL,
    content bytea NOT NULL,
    applied_at_us bigint NOT NULL,
    applied_by text NOT NULL COLLATE pg_catalog."C",
    checksum bigint NOT NULL
);

CREATE TABLE space (
    id integer NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    epoch bytea NOT NULL,
    created_at_us bigint NOT NULL,
    revision bigint NOT NULL,
    chain_hash bytea NOT NULL,
    changed_at_us bigint NOT NULL,
    alive_count bigint NOT NULL,
    history_floor bigint NOT NULL,
    feed_floor bigint NOT NULL,
    fence bigint NOT NULL,
    receipt_floor bigint NOT NULL,
    schema_version bigint NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE store (
    key text NOT NULL COLLATE pg_catalog."C",
    value bigint NOT NULL
);

CREATE TABLE token (
    id text NOT NULL COLLATE pg_catalog."C",
    secret_hash bytea NOT NULL,
    principal text NOT NULL COLLATE pg_catalog."C",
    role_everywhere smallint,
    created_at_us bigint NOT NULL
);

CREATE TABLE token_role (
    token text NOT NULL COLLATE pg_catalog."C",
    space text NOT NULL COLLATE pg_catalog."C",
    role smallint NOT NULL
);

INSERT INTO head VALUES
	(2, 1, 1, 1, 'room', '\x726564'),
	(2, 1, 1, 2, 'room', '\x626c7565'),
	(2, 1, 3, 8, 'booking', '\x6231'),
	(2, 1, 3, 10, 'booking', '\x6232'),
	(2, 2, 2, 11, 'booking', '\x6233'),
	(2, 2, 2, 12, 'room', '\x677265656e'),
	(1, 1, 1, 1, 'note', '\x6e31'),
	(1, 1, 1, 2, 'note', '\x6e32');

INSERT INTO held_key VALUES
	(2, 'room', 'name', '\x0672656400', '\x726564', NULL),
	(2, 'room', 'name', '\x06626c756500', '\x626c7565', NULL);

INSERT INTO held_reference VALUES
	(2, 'room', '\x726564', 'booking', '\x6231', 'room'),
	(2, 'room', '\x626c7565', 'booking', '\x6232', 'room');

INSERT INTO log VALUES
	(1, 1, 0, 1795286602527013, 1795286602527013, NULL, 2, 1, 'room', '\x726564', 'developer', 'developer', '\x01a1ff6b930a7bf2b339b04671b7bb9e', '\xbb8e177284e73dc10c12c44478b5ed75', '\x4bbe0d74a8203f1972e3ae9369f0cc2e89bac93448bec4d99926b9da363e9ba4', '\x84fabe7985c35a5e5985e12324be590e68251720d95fd0348be926b57458548d', '\x7a0b0a05666c6f6f72120218017a0d0a046e616d6512052a03726564'),
	(2, 1, 0, 1795286602608877, 1795286602608877, NULL, 2, 1, 'room', '\x626c7565', 'developer', 'developer', '\x01a1ff6b936a767e9c3bb76135673eeb', '\x081fe77ca3cb72ea29e48868dda92c73', '\x84356f9bade03cbe7fb69de9c15a0427a61f3203059500d65bd0c8b94d5e8270', '\x35dd0c83f78c66c35d0e60a87131ed5929beb7b3f6c0309af4351f3bad82d20c', '\x7a0b0a05666c6f6f72120218027a0e0a046e616d6512062a04626c7565'),
	(3, 1, 0, 1795286602708347, 1795286602708347, NULL, 2, 1, 'room', '\x677265656e', 'developer', 'developer', '\x01a1ff6b93d074b492c3f361ed1d9af2', '\xaa71f1b0ecd20c68f5719e4aee04166f', '\xf5ac7f00a2584be8389b5a1620eedd8f9a53104d453e8e3211335dc4e8114364', '\x4440a06d5d178d1c231f722b90f0039a55488ab7a2d4d6d7f34532d18a269c82', '\x7a0b0a05666c6f6f72120218037a0f0a046e616d6512072a05677265656e'),
	(4, 1, 0, 1795286602874372, 1795286602874372, NULL, 2, 1, 'booking', '\x6231', 'developer', 'developer', '\x01a1ff6b94727169b6b0d2971dcfe339', '\xeaef28a8ec77242095efa3a261c3e817', '\xc9903eb658bfbb1f9561f807556349dcbcb21698f3207c6c9bfc6f17b6df387c', '\x52239a35649e30b806a43b10eeec3d1a9c72a1403f8f31ad54c0b5a9e11d8e27', '\x7a0a0a0470616964120210017a0d0a04726f6f6d12052a037265647a0b0a057365617473120218037a150a057469746c65120c2a0a6669727374206c696e65'),
	(5, 1, 0, 1795286603001969, 1795286603001969, NULL, 2, 1, 'booking', '\x6232', 'developer', 'developer', '\x01a1ff6b94f6742e843b8412217b977e', '\x7ba2e9fb5f903ec8250c979ccfb8bb0a', '\xd116c808722c820c29bec5ee66189832e5ad82ac92583b560d38a0f4d3911f79', '\x0715fdc0f50f84a0e26455f29bd490551b20609d9076964ff3217296bf24f32e', '\x7a120a05707269636512092100000000000029407a0e0a04726f6f6d12062a04626c75657a0b0a057365617473120218017a120a057374617274120938c0e6b3b2efeb9103'),
	(6, 1, 0, 1795286603116693, 1795286603116693, NULL, 2, 1, 'booking', '\x6233', 'developer', 'developer', '\x01a1ff6b95677666b655ae57bf5b29ae', '\x18a93656968d7c7a43a18325d6cea6c8', '\xb516294a7144144fc254147a87b3c0ab3aeeb522a1df1ee3dee57eb9deaba6fc', '\x9b14858d5dc6086f956a23fe2595dcc77fc54b1b65436dfaa790f56090ea6537', '\x7a0f0a04726f6f6d12072a05677265656e7a120a057469746c6512092a07c3a920f09f9880'),
	(7, 2, 4, 1795286602874372, 1795286603387799, NULL, 2, 2, 'booking', '\x6231', 'developer', 'developer', '\x01a1ff6b96717a47bcb5ee9765913414', '\x88f2787ad543f4419f72fb7bbb938dbb', '\x2397a83862cef1794556f81a2f0ac0ceb05173ccea7406853e82f816caf08746', '\xb4f5e676c01b8e3381845c42947106d2a0f7ecc64eec7108710cc91ac5e654cd', '\x7a0a0a0470616964120210017a0d0a04726f6f6d12052a037265647a0b0a057365617473120218057a140a0474616773120c420a0a032a01610a032a01627a150a057469746c65120c2a0a6669727374206c696e65'),
	(8, 3, 7, 1795286602874372, 1795286603595486, NULL, 2, 2, 'booking', '\x6231', 'developer', 'developer', '\x01a1ff6b97477e34aca1ec74073bfe13', '\xb6ac1a1015b10298374db3f435810f03', '\xf3d7993b712849c0ea2269ef87200141e2067a70e6fe933846910fabea572862', '\x338dd0cc3144535b7e36d15079950546cfb961dbe598beed04d5d9dd63debb5d', '\x7a0a0a0470616964120210017a0d0a04726f6f6d12052a037265647a0b0a057365617473120218077a140a0474616773120c420a0a032a01610a032a01627a150a057469746c65120c2a0a6669727374206c696e65'),
	(9, 2, 5, 1795286603001969, 1795286603650437, NULL, 2, 4, 'booking', '\x6232', 'developer', 'developer', '\x01a1ff6b977e7d9899707ff1dcf2bf72', '\x37e80f24304dbcafe7fc905d7c7a6e49', '\x14692135a85f84faa0d80ded46dcce07477bb08e1ec62188c494126e35512ac2', '\x2fa55f50567e1ec06ccd88849d809013f5715567663d3f352cba9802b47f269e', '\x7a120a05707269636512092100000000000029407a0e0a04726f6f6d12062a04626c75657a0b0a057365617473120218017a120a057374617274120938c0e6b3b2efeb9103'),
	(10, 3, 9, 1795286603001969, 1795286603725807, NULL, 2, 5, 'booking', '\x6232', 'developer', 'developer', '\x01a1ff6b97ca71d9a214f5f828a03f56', '\x6a41bcbd1baed7f8d4d01147407d5f4d', '\xf6b09c918b28479aec8f2ff246f48369da1b26690f3b69f3b2ee6f2d0229423b', '\x0d3a54d19c761fd5e4d2104c1c0728c041e0aefc9586ed1b8634fc7ffef0cb70', '\x7a120a05707269636512092100000000000029407a0e0a04726f6f6d12062a04626c75657a0b0a057365617473120218017a120a057374617274120938c0e6b3b2efeb9103'),
	(11, 2, 6, 1795286603116693, 1795286603801922, NULL, 2, 116, 'booking', '\x6233', 'developer', 'developer', '\x01a1ff6b981679a7bb6857c3f1dfb202', '\xd024d1a5bdd868eafd228aa47b273e17', '\x3e154cf45a71a4b13d875f0a140f8013b50bf211dcb9d445142c569b6104f45e', '\x822e057e60b7b5a39b06efdd0dca457c684660df2b9431d203b42ad53887eaee', '\x7a0f0a04726f6f6d12072a05677265656e7a120a057469746c6512092a07c3a920f09f9880'),
	(12, 2, 3, 1795286602708347, 1795286603801922, NULL, 2, 4, 'room', '\x677265656e', 'developer', 'developer', '\x01a1ff6b981679a7bb6857c3f1dfb202', '\xf7f0bed9c191c3ede9a40ea0c40da8b5', '\x3b46717ab1510527124d353652a5e461110911a7c0e3d5f3666071a1b4f9e403', '\xc86b4c627e39b95f9d7af40deb6355828d41b9edcfaf6703e1c719b04251ba7a', '\x7a0b0a05666c6f6f72120218037a0f0a046e616d6512072a05677265656e'),
	(1, 1, 0, 1795286603875350, 1795286603875350, NULL, 1, 1, 'note', '\x6e31', 'developer', 'developer', '\x01a1ff6b985c71e79632b67e199b489b', '\x8605bca997d5c61342bec648534840fd', '\x1db2fb43278dd1737e6848b1b197fba9e981f09b99a54a5aa12dfae5b7894a0e', '\xb5d0826716b32850abbc341d99d60c41d89265d9939ae524d019b1d78001f117', '\x7a0f0a047465787412072a0568656c6c6f'),
	(2, 1, 0, 1795286603966373, 1795286603966373, NULL, 1, 1, 'note', '\x6e32', 'developer', 'developer', '\x01a1ff6b98ba7abebc8a6b7ba8c7147c', '\x5a6965685f2ddc6ac461ecd03f5e8aa6', '\x68c51852e9e020720f2828bfadd6b87ed7c0b0bb49e711fe51cbddf365ce0d2d', '\x6572e9b1e20e871eadadc03ad032f6b348adff778a1f9d8c6c0c657ab862bab6', '\x7a0f0a047465787412072a056f74686572');

INSERT INTO receipt VALUES
	(1, 1, 1795286602527013, 3132493010019740305, 2, 1, 'developer', '\x01a1ff6b930a7bf2b339b04671b7bb9e', '\x53873fbb6b325b33849ff57f85ce9d6f89c943ab803b420333a0201c88d162f2'),
	(1, 2, 1795286602608877, -5138843423794290750, 2, 1, 'developer', '\x01a1ff6b936a767e9c3bb76135673eeb', '\xb3ddb5a3f57cccf22961d78f714c0fb0cee197ad6833ecde55278c8da29dc044'),
	(1, 3, 1795286602708347, -4476464026783603415, 2, 1, 'developer', '\x01a1ff6b93d074b492c3f361ed1d9af2', '\xf9535bfe8fb4ce6866b1c010643ed406475164513a9ae99f45714034efca7c34'),
	(1, 4, 1795286602874372, 6765419043850034470, 2, 1, 'developer', '\x01a1ff6b94727169b6b0d2971dcfe339', '\x9ab9cdd85478d133c6087724afde13894bbcbfd8e5abd0eee529838c17c3d3b8'),
	(1, 5, 1795286603001969, 2964172762450901938, 2, 1, 'developer', '\x01a1ff6b94f6742e843b8412217b977e', '\xad0f838096782f68140de7ed3a0bcdea520389745fa1ab96c0a06a767b699b39'),
	(1, 6, 1795286603116693, -6813923304999821304, 2, 1, 'developer', '\x01a1ff6b95677666b655ae57bf5b29ae', '\xec1485d861cb047bd18776f064093f1594037b8e72faaef56efa1a30052db2cd'),
	(1, 4, 1795286603226063, 1305049157021105365, 2, 6, 'developer', '\x01a1ff6b95d67e1d966f1a7b72615977', '\x42d83c002550998259c3bfd0aff40d70a6d6bf8b790125da9d897c86afcb7b11'),
	(2, 7, 1795286603387799, -8230046141408412051, 2, 1, 'developer', '\x01a1ff6b96717a47bcb5ee9765913414', '\x54f8dec50e46b631a1c9d8dbf20b54a366e605bbd30399b1cf29e036dd32449b'),
	(2, 7, 1795286603457807, 7655074292620910424, 2, 4, 'developer', '\x01a1ff6b96be760794291af35f7c884e', '\x014d2dacaede087ea4722cf3b95727fe7cff4dbf4fb2e7a49a9c776bbd881e62'),
	(2, 7, 1795286603529166, -8082026145607196589, 2, 4, 'developer', '\x01a1ff6b970579a6bd49e5b8381d10dd', '\xd7d9f08309af69fee0d3f09524eb33fa45ea615f4fcdf851d6b54c411bf22470'),
	(3, 8, 1795286603595486, -2909690672551356034, 2, 1, 'developer', '\x01a1ff6b97477e34aca1ec74073bfe13', '\x7540aa8a2473ea80b5034735bea07ec3aab4f30650effe664e8d18b7dd790c9c'),
	(2, 9, 1795286603650437, 6938960581332836420, 2, 1, 'developer', '\x01a1ff6b977e7d9899707ff1dcf2bf72', '\xf0c8bd6e797a419e58d10679b0596be3845262a76225216b28a80dfdf419bbcc'),
	(3, 10, 1795286603725807, 7328987399528456622, 2, 1, 'developer', '\x01a1ff6b97ca71d9a214f5f828a03f56', '\xa35f4269618eff6ba00e5a6aa488a73f1cd8577f990833d758a9584bd0a42fed'),
	(2, 12, 1795286603801922, 4829794005829606699, 2, 1, 'developer', '\x01a1ff6b981679a7bb6857c3f1dfb202', '\xa23a6785bbc1751d86c3aacd9cbf2a2fabdcbc5e4eb26069d74fbcd850a9771a'),
	(1, 1, 1795286603875350, -608505614727476973, 1, 1, 'developer', '\x01a1ff6b985c71e79632b67e199b489b', '\x25e303a84dee6704f49c8523bcd56198a731488a94a9ebc854c7e28d4a31acca'),
	(1, 2, 1795286603966373, 3179340616064478181, 1, 1, 'developer', '\x01a1ff6b98ba7abebc8a6b7ba8c7147c', '\x61ba79e8bbb34dfabf7c537e8b9c71d3318782635ec6b9cdc5a6f34cab9cb593');

INSERT INTO schema VALUES
	(2, 1, '\x0a710a07626f6f6b696e671a0a0a0470616964180258011a0b0a057072696365180458011a160a04726f6f6d18052001580162080a04726f6f6d10021a0b0a057365617473180358021a0b0a057374617274180758011a0a0a0474616773180f58031a0b0a057469746c6518055806380140010a420a04726f6f6d1a0b0a05666c6f6f72180358011a0e0a046e616d6518052001480158011a0b0a0570686f746f180658012a0c0a046e616d6512046e616d6538014001', 1795286602418650, 'developer', 2137805921609327869);

INSERT INTO space VALUES
	(2, 'hotel', '\xe297aa8cc29bacaba61b4e7df8f32624', 1795286601855319, 12, '\xc86b4c627e39b95f9d7af40deb6355828d41b9edcfaf6703e1c719b04251ba7a', 1795286603801922, 4, 0, 0, 0, 0, 1),
	(1, 'default', '\xb22fff4bcbbff9824b3b298843bc6c09', 1795286601629981, 2, '\x6572e9b1e20e871eadadc03ad032f6b348adff778a1f9d8c6c0c657ab862bab6', 1795286603966373, 2, 0, 0, 0, 0, 0);

INSERT INTO store VALUES
	('format', 1),
	('last_space', 3);

INSERT INTO token VALUES
	('6982ee88de67', '\x954a6d77306c3d7d00151a74772ca6e1b2f5c925904574f78a427d36ed430664', 'editor', NULL, 1795286604053943);

INSERT INTO token_role VALUES
	('6982ee88de67', 'hotel', 2);

ALTER TABLE ONLY head
    ADD CONSTRAINT head_pkey PRIMARY KEY (space, type, id);

ALTER TABLE ONLY held_key
    ADD CONSTRAINT held_key_pkey PRIMARY KEY (space, type, key, value);

ALTER TABLE ONLY held_reference
    ADD CONSTRAINT held_reference_pkey PRIMARY KEY (space, target_type, target_id, source_type, source_id, field);

ALTER TABLE ONLY log
    ADD CONSTRAINT log_pkey PRIMARY KEY (space, revision);

ALTER TABLE ONLY receipt
    ADD CONSTRAINT receipt_pkey PRIMARY KEY (space, principal, operation);

ALTER TABLE ONLY schema
    ADD CONSTRAINT schema_pkey PRIMARY KEY (space, version);

ALTER TABLE ONLY space
    ADD CONSTRAINT space_name_key UNIQUE (name);

ALTER TABLE ONLY space
    ADD CONSTRAINT space_pkey PRIMARY KEY (id);

ALTER TABLE ONLY store
    ADD CONSTRAINT store_pkey PRIMARY KEY (key);

ALTER TABLE ONLY token
    ADD CONSTRAINT token_pkey PRIMARY KEY (id);

ALTER TABLE ONLY token_role
    ADD CONSTRAINT token_role_pkey PRIMARY KEY (token, space);

