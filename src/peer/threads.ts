/**
 * What a worker thread loads. In a bundle every thread starts from the program's one file, whose entry
 * imports this: the module whose role the thread was given runs, the other does nothing.
 */
import '../codec/worker-codec.ts'
import '../store/index-thread.ts'
