import TidemarkClient
import TidemarkCore
import TidemarkWire

/// Brings one row to the server.
struct RowImporter: Sendable {
  /// What became of a row.
  enum Result: Sendable, Equatable {
    case created
    case updated
    /// The entity was changed over an edit that somebody made since it was imported.
    case overwritten
    /// The entity holds what the row says already.
    case unchanged
    /// The row was refused: a word for programs, and a sentence.
    case refused(String, String)
  }

  let space: SpaceClient
  let type: TypeName
  /// Change entities that are there and differ.
  let updates: Bool
  /// Change them also when somebody edited them since.
  var overwrites = false
  /// Which versions imports made.
  var memory = ImportMemory(folder: nil)

  /// How often a row that was refused by earlier runs is asked for anew.
  private static let attemptsMax = 20

  /// The word for a row whose entity holds edits that no import made.
  static let editedSince = "edited_since"

  /// Makes the entity, or compares the one that is there.
  ///
  /// - Throws: `ClientError` when the server could not be asked; the row may be sent again.
  func run(_ content: ImportRow.Content) async throws(ClientError) -> Result {
    let key = EntityKey(type: type, id: content.id)
    let outcome: Outcome
    do {
      outcome = try await create(content, key, attempt: 0)
    } catch {
      // The request itself breaks a rule: the row's fault, not the connection's.
      guard error.code == .invalidArgument else { throw error }
      return .refused("invalid", error.violations.first?.message ?? error.message)
    }
    guard outcome.code.isSuccess else { return .refused(outcome.code.word, outcome.message) }
    if !outcome.isReplay {
      if outcome.code == .applied { return .created }
      if let entity = outcome.entity {
        return try await compare(content, with: entity, epoch: outcome.epoch)
      }
    }
    // A receipt tells how the entity was then; what counts is how it is now.
    guard let found = try await space.get(type, content.id, includeDeleted: true) else {
      return .refused("not_found", "The entity was imported before and is gone.")
    }
    return try await compare(content, with: found.entity, epoch: found.epoch)
  }

  /// Asks for the entity, once more under another id when an earlier run was refused: what stood in its way may be gone.
  private func create(_ content: ImportRow.Content, _ key: EntityKey, attempt: Int) async throws(ClientError) -> Outcome {
    let operation = OperationName.create(space: space.name, key: key, fields: content.fields, attempt: attempt)
    let outcome = try await space.getOrCreate(type, content.id, content.fields, operation: operation)
    guard outcome.isReplay, !outcome.code.isSuccess, attempt < RowImporter.attemptsMax else { return outcome }
    return try await create(content, key, attempt: attempt + 1)
  }

  private func compare(_ content: ImportRow.Content, with entity: Entity, epoch: Epoch) async throws(ClientError) -> Result {
    guard entity.life == .alive else {
      return .refused(
        "not_found",
        "The entity was imported before and deleted since, by \(entity.updated.by) in version \(entity.version). "
          + "Restore it first."
      )
    }
    let current: Fields
    do {
      current = try entity.fields.decoded()
    } catch {
      throw ClientError(.protocolError, "The server sent an entity that cannot be read.")
    }
    let entries = RowImporter.difference(content, from: current)
    if entries.isEmpty { return .unchanged }
    guard updates else {
      let names = entries.prefix(5).map { $0.name.text }.joined(separator: ", ") + (entries.count > 5 ? ", …" : "")
      return .refused(
        "conflict", "The entity is there with other content (\(names)), at version \(entity.version) by \(entity.updated.by).")
    }
    let isEdited = !memory.holds(entity, epoch: epoch)
    guard !isEdited || overwrites else {
      let when = "\(entity.updated.by) at \(TimeText.format(entity.updated.at))"
      return .refused(
        RowImporter.editedSince, "The entity was edited since: version \(entity.version) by \(when). --overwrite replaces it.")
    }
    return try await change(
      content.id, entries, Expected(version: entity.version, revision: entity.revision, epoch: epoch), isEdited)
  }

  private func change(
    _ id: EntityID, _ entries: [Patch.Entry], _ expected: Expected, _ isEdited: Bool
  ) async throws(ClientError) -> Result {
    do {
      let patch = try Patch(entries)
      let operation = OperationName.update(
        space: space.name, key: EntityKey(type: type, id: id), patch: patch, expected: expected)
      let outcome = try await space.update(type, id, patch, expected: expected, operation: operation)
      switch outcome.code {
      case .applied, .merged:
        if let revision = outcome.revision { memory.add(revision, epoch: outcome.epoch) }
        return isEdited ? .overwritten : .updated
      case .unchanged: return .unchanged
      default: return .refused(outcome.code.word, outcome.message)
      }
    } catch let error as ClientError {
      guard error.code == .invalidArgument else { throw error }
      return .refused("invalid", error.violations.first?.message ?? error.message)
    } catch let error as Violation {
      return .refused("invalid", error.message)
    } catch {
      throw ClientError(.internalError, "The row cannot be sent.")
    }
  }

  /// What makes the entity hold what the row says. Fields that the row does not speak of are left alone.
  static func difference(_ content: ImportRow.Content, from current: Fields) -> [Patch.Entry] {
    var entries = content.fields.sorted.filter { current[$0.name] != $0.value }.map { Patch.Entry($0.name, .set($0.value)) }
    for path in content.cleared where current.sorted.contains(where: { $0.name == path || path.isAbove($0.name) }) {
      entries.append(Patch.Entry(path, .unset))
    }
    return entries
  }
}
