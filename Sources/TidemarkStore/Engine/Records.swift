public import TidemarkCore

/// The number of a space inside a store, from 1. Never reused, so what is left of a deleted space never becomes part of another.
public struct SpaceID: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  /// Engines keep (space << 40 | revision) in a signed 64-bit key.
  public static let max = SpaceID(rawValue: (1 << 22) - 1)
  public static func < (a: SpaceID, b: SpaceID) -> Bool { a.rawValue < b.rawValue }
}

/// A space as it is stored.
public struct SpaceRecord: Hashable, Sendable {
  public var id: SpaceID
  public var name: SpaceName
  public var epoch: Epoch
  public var createdAt: Timestamp
  /// The revision of the latest change.
  public var revision: Revision
  /// The chain hash of the latest change; `Chain.genesis(epoch)` before the first.
  public var chainHash: Digest32
  /// The time of the latest change: the space's clock never runs backwards.
  public var changedAt: Timestamp
  /// How many entities are alive.
  public var aliveCount: UInt64
  /// Snapshots at or below this revision may be pruned: base and as-of answers end here.
  public var historyFloor: Revision
  /// Feed cursors below this revision are dead.
  public var feedFloor: Revision
  /// Deletion markers at or below this revision have left the feed.
  public var fence: Revision
  /// Receipts of writes made with knowledge below this revision may be gone.
  public var receiptFloor: Revision
  /// The version of the schema in force; 0 for a space without one.
  public var schemaVersion: UInt64

  public init(id: SpaceID, name: SpaceName, epoch: Epoch, createdAt: Timestamp, genesis: Digest32) {
    self.id = id
    self.name = name
    self.epoch = epoch
    self.createdAt = createdAt
    self.revision = .zero
    self.chainHash = genesis
    self.changedAt = createdAt
    self.aliveCount = 0
    self.historyFloor = .zero
    self.feedFloor = .zero
    self.fence = .zero
    self.receiptFloor = .zero
    self.schemaVersion = 0
  }
}

/// How far a space has come, and whether it is there at all. Spaces never share a number, so one that was made again is another.
public struct SpaceMark: Hashable, Sendable {
  public var space: SpaceID
  /// The latest revision; `nil` for a space that is gone, or of which nothing is known.
  public var revision: Revision?

  public init(space: SpaceID, revision: Revision?) {
    self.space = space
    self.revision = revision
  }
}

/// A schema of a space as it is stored.
public struct SchemaRecord: Hashable, Sendable {
  /// Counts the schemas of a space, from 1.
  public var version: UInt64
  /// The encoding of the schema. Engines do not look into it.
  public var content: [UInt8]
  public var appliedAt: Timestamp
  public var appliedBy: PrincipalName

  public init(version: UInt64, content: [UInt8], appliedAt: Timestamp, appliedBy: PrincipalName) {
    self.version = version
    self.content = content
    self.appliedAt = appliedAt
    self.appliedBy = appliedBy
  }
}

/// A change with what proves it: one row of the log.
public struct LogEntry: Hashable, Sendable {
  public var change: Change
  /// Random bytes hashed with the fields. Erasing them with the fields makes the digest unguessable.
  public var salt: Bytes16
  /// SHA-256(salt, canonical fields). Kept when the fields are pruned.
  public var contentDigest: Digest32
  /// SHA-256(hash of the entry before, metadata, content digest).
  public var chainHash: Digest32

  public init(change: Change, salt: Bytes16, contentDigest: Digest32, chainHash: Digest32) {
    self.change = change
    self.salt = salt
    self.contentDigest = contentDigest
    self.chainHash = chainHash
  }
}

/// An entry of the log without what its entity holds.
public struct LogHead: Hashable, Sendable {
  public var key: EntityKey
  public var version: EntityVersion
  public var revision: Revision
  public var kind: ChangeKind
  /// The revision of the entity's version before this one; zero for the first.
  public var previous: Revision
  public var changed: Mark
  /// The write that asked for it.
  public var operation: OperationID
  public var manner: ChangeManner

  public init(
    key: EntityKey, version: EntityVersion, revision: Revision, kind: ChangeKind, previous: Revision, changed: Mark,
    operation: OperationID, manner: ChangeManner
  ) {
    self.key = key
    self.version = version
    self.revision = revision
    self.kind = kind
    self.previous = previous
    self.changed = changed
    self.operation = operation
    self.manner = manner
  }
}

/// One row of the log as verification reads it: it may be damaged.
public enum LogRow: Hashable, Sendable {
  case intact(LogEntry)
  /// The row is there, and one of its columns does not decode.
  case damaged(Revision)

  /// The revision under which the row is stored.
  public var revision: Revision {
    switch self {
    case .intact(let entry): entry.change.entity.revision
    case .damaged(let revision): revision
    }
  }
}

/// Some changes of a space's log, in order.
public struct ChangePage: Hashable, Sendable {
  public var changes: [Change]
  /// The last revision that was looked at: everything up to it that was asked for is in `changes`.
  public var through: Revision

  public init(changes: [Change], through: Revision) {
    self.changes = changes
    self.through = through
  }
}

/// One row of the head table: the latest version of an entity, without its fields.
public struct Head: Hashable, Sendable {
  public var key: EntityKey
  public var version: EntityVersion
  public var revision: Revision
  public var life: EntityLife

  public init(key: EntityKey, version: EntityVersion, revision: Revision, life: EntityLife) {
    self.key = key
    self.version = version
    self.revision = revision
    self.life = life
  }
}

/// Which entities a listing shows.
public enum DeletedFilter: UInt8, Sendable {
  case exclude = 1
  case include = 2
  case only = 3
}

/// A bearer token as it is stored: the secret only as a hash.
public struct TokenRecord: Hashable, Sendable {
  /// The public part of the token's text.
  public var id: String
  /// SHA-256 of the secret part.
  public var secretHash: Digest32
  public var principal: PrincipalName
  /// The role in every space; `nil` for none.
  public var roleEverywhere: Role?
  public var roles: [SpaceName: Role]
  public var createdAt: Timestamp

  public init(
    id: String, secretHash: Digest32, principal: PrincipalName, roleEverywhere: Role?, roles: [SpaceName: Role],
    createdAt: Timestamp
  ) {
    self.id = id
    self.secretHash = secretHash
    self.principal = principal
    self.roleEverywhere = roleEverywhere
    self.roles = roles
    self.createdAt = createdAt
  }
}
