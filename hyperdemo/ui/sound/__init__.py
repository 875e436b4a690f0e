"""The tab of sound: a clip in, its resyntheses out."""
