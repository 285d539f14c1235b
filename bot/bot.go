// Package bot is the conversation: it words what the editor decided and answers
// what people ask.
//
// It is the top one of Seedcorn's three layers (cmd -> bot -> digest -> feeds).
// What comes in is a value of package digest; what goes out is a
// [message.Document], which every platform shows in its own idiom. Nothing here
// knows which platform that is.
//
// Its rooms: message (the document and its plain renderers) and one adapter for
// each platform, each of which is the only home of its platform's library.
package bot
