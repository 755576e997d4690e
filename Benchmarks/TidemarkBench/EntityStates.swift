internal import TidemarkCore
internal import TidemarkWire

/// The states of all entities before a run, and the epochs of their spaces.
struct EntityStates: Sendable {
  /// What the loader knows of an entity.
  struct Known: Sendable {
    var version: UInt64
    var revision: UInt64
    var isInFlight = false
  }

  private(set) var known: [Known]
  private(set) var epochs: [Epoch] = []

  /// Reads them with BatchGet.
  init(_ options: Options, _ control: ControlConnection) throws {
    let entities = try BenchEntities(options)
    known = Array(repeating: Known(version: 0, revision: 0), count: options.entities)
    for (number, space) in entities.spaces.enumerated() {
      let indices = Array(stride(from: number, to: options.entities, by: entities.spaces.count))
      var start = 0
      while start < indices.count {
        let part = indices[start..<min(start + 500, indices.count)]
        start += part.count
        let keys = try part.map { try entities.key($0) }
        let response: BatchGetResponse = try control.call(.batchGet, BatchGetRequest(space: space, keys: keys))
        if epochs.count == number { epochs.append(response.epoch) }
        for (index, result) in zip(part, response.results) {
          guard let entity = result.entity else { throw BenchError("entity \(result.key.id) is not there; fill first") }
          known[index] = Known(version: entity.version.rawValue, revision: entity.revision.rawValue)
        }
      }
    }
    guard epochs.count == entities.spaces.count else { throw BenchError("more spaces than entities") }
  }
}
