/// The sentences for people that outcomes carry. They name types, ids and versions, never values.
enum Messages {
  static let forbidden = "You may not do this."
  static let receiptExpired =
    "This write is older than the receipts that are kept, so whether it was applied is no longer known. Read the entity and decide again."
  static let epochChanged =
    "The space was restored to another history since this write was made. Read the entity and decide again."
  static let operationReused =
    "This operation id was used before for a write with other content. Use a new id for a new write."

  static let tooMuchData = "The items before this one are about too much data for one bulk. Send this one again in another."

  static func moreViolations(_ told: Int) -> String { "More rules are broken; the first \(told) are told." }
  static let takenBack = "This cannot be done after what its group does before it. Nothing of the group was done."

  static func tooMuchToMerge(_ expected: Expected, _ entity: Entity) -> String {
    conflict(expected, entity) + " Merging the texts of this bulk takes too long; send this one again in another."
  }

  static func aborted(by item: Int) -> String { "This was not done because item \(item) failed." }

  static func notFound(_ type: TypeName, _ id: EntityID) -> String { "There is no \(type) '\(id)'." }

  static func deleted(_ entity: Entity) -> String {
    "The \(entity.key.type) '\(entity.key.id)' was deleted by \(entity.updated.by) in version \(entity.version). Restore it first."
  }

  static func purged(_ entity: Entity) -> String {
    "The \(entity.key.type) '\(entity.key.id)' was deleted for good. Create it anew if it is still wanted."
  }

  static func alreadyExists(_ entity: Entity) -> String {
    "The \(entity.key.type) '\(entity.key.id)' exists already; it is at version \(entity.version)."
  }

  static func conflict(_ expected: Expected, _ entity: Entity) -> String {
    guard expected.version <= entity.version else {
      return
        "The \(entity.key.type) '\(entity.key.id)' has no version \(expected.version) yet: it is at version \(entity.version)."
    }
    guard expected.version < entity.version else {
      return "The \(entity.key.type) '\(entity.key.id)' is at version \(entity.version), but not the one you saw: "
        + "its revision is \(entity.revision)."
    }
    let what = entity.life == .alive ? "changed" : "deleted"
    return "The \(entity.key.type) '\(entity.key.id)' was \(what) by \(entity.updated.by) since: "
      + "you expected version \(expected.version), it is at version \(entity.version)."
  }
}
