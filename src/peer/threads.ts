/**
 * What a worker thread, or the process that decodes images, loads. In a bundle each starts from the
 * program's one file, whose entry imports this: the module whose role it was given runs, the others do nothing.
 */
import '../codec/thumbnailer.ts'
import '../codec/worker-codec.ts'
import '../store/index-thread.ts'
